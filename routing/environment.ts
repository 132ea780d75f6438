// What nodes and functions read from their environment in the same form.

import * as z from 'zod';
import { regionId } from './names.ts';

/** The variables that are set: an empty one counts as not set, as shells and unit files leave them. */
export const setVariables = (environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));

/** A secret key: base64 of at least 32 bytes (RFC 7518 section 3.2 for HS256, AES-256's own size). */
export const secretKey = z.base64().transform((text, context) => {
  const bytes = new Uint8Array(Buffer.from(text, 'base64'));
  if (bytes.length >= 32) return bytes;
  context.addIssue('at least 32 bytes, base64');
  return z.NEVER;
});

/** A variable that holds JSON. */
export const json = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue('not JSON');
    return z.NEVER;
  }
});

/** Every region and its HTTP API: `[{"id":"eu-west-1","api":"https://eu-west-1.live.example.com"}]`. */
export const regionApis = json.pipe(z.array(z.object({ id: regionId, api: z.url() })).min(1));
