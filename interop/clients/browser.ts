// A browser as a client: what runs in its page is the same for all, how one starts it and calls into a page is not.

import { createServer } from 'node:http';
import * as z from 'zod';
import { listen } from '#local/listen.ts';
import { type Codec, codec, codecOf, type Form, sending, watching } from '../messages.ts';
import type { Adapter } from './adapter.ts';
import { codecsInPage, lookInPage, publishInPage, stopInPage, viewInPage } from './in-page.ts';

export interface BrowserPage {
  version: string;
  /** Evaluates an expression whose value is a promise; what it resolves with is JSON's text, or nothing. */
  evaluate(expression: string): Promise<unknown>;
  close(): Promise<void>;
}

export interface BrowserOptions {
  /** Starts the browser with a page at this address. */
  open(url: string): Promise<BrowserPage>;
  publishes: readonly Form[];
  lacks?: (has: readonly Codec[]) => Partial<Record<Form, string>>;
}

/** Every browser that publishes H264 here publishes constrained baseline, whole NAL units in fragments. */
const H264 = ['42e01f', 'packetization-mode=1'];
const PARAMETERS: Readonly<Record<Codec, string[]>> = { VP8: [], VP9: ['profile-id=0'], H264, AV1: [] };

const publishLook = sending.omit({ is: true });
const viewLook = watching.omit({ is: true });

/** Sends the page a function that stands alone, and its argument. */
const call = <Argument>(
  page: BrowserPage,
  what: (argument: Argument) => Promise<unknown>,
  argument: Argument,
): Promise<unknown> => page.evaluate(`(${what.toString()})(${JSON.stringify(argument)})`);

async function read<Shape extends z.ZodType>(
  shape: Shape,
  page: BrowserPage,
  what: () => Promise<string>,
): Promise<z.infer<Shape>> {
  return shape.parse(JSON.parse(z.string().parse(await call(page, what, undefined))));
}

export function browser({ open, publishes, lacks = () => ({}) }: BrowserOptions): Adapter {
  /** Gives the task a page, which is closed when the task fails, not when it succeeds. */
  const inPage = async <Result>(task: (page: BrowserPage) => Promise<Result>): Promise<Result> => {
    const server = createServer((_, response) => {
      response.setHeader('content-type', 'text/html').end('<!doctype html><title>interop</title>');
    });
    // A page of its own, on loopback: a secure context, and another origin than Meridian's.
    const port = await listen(server, { host: '127.0.0.1', port: 0, what: 'the page', option: '' });
    const page = await open(`http://127.0.0.1:${port}/`);
    try {
      return await task(page);
    } catch (error) {
      await page.close();
      throw error;
    }
  };
  return {
    about: () =>
      inPage(async (page) => {
        const has = [...new Set(await read(z.array(codec), page, codecsInPage))];
        await page.close();
        return {
          version: page.version,
          publishes: publishes.filter((form) => has.includes(codecOf(form))),
          views: has,
          lacks: lacks(has),
        };
      }),
    publish: (url, token, form) =>
      inPage(async (page) => {
        const name = codecOf(form);
        const simulcast = form === 'VP8 simulcast';
        const mimeType = `video/${name}`;
        await call(page, publishInPage, { url, token, mimeType, parameters: PARAMETERS[name], simulcast });
        return { sent: () => read(publishLook, page, lookInPage), stop: () => stop(page) };
      }),
    view: (url) =>
      inPage(async (page) => {
        await call(page, viewInPage, { url });
        return { seen: () => read(viewLook, page, lookInPage), stop: () => stop(page) };
      }),
  };
}

async function stop(page: BrowserPage): Promise<void> {
  await call(page, stopInPage, undefined);
  await page.close();
}
