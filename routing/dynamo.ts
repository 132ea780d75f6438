// The DynamoDB client of functions and nodes: its deadlines, and what its failures are to a caller.

import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { isServerError, isThrottlingError, isTransientError } from '@smithy/core/retry';
import type { SdkError } from '@smithy/types';
import { unavailable } from './problem.ts';

export interface DynamoOptions {
  region: string;
  /** Milliseconds until a request counts as failed; it is then made once more. */
  timeout: number;
  /** Only where DynamoDB is not AWS's own. */
  endpoint?: string | undefined;
}

/**
 * A client whose calls throw a 503 Problem while DynamoDB cannot be reached, does not answer or is overloaded: that
 * passes, and is no fault of ours. `destroy` ends its connections.
 */
export function dynamoDocuments({ region, timeout, endpoint }: DynamoOptions): DynamoDBDocumentClient {
  const client = new DynamoDBClient({
    region,
    maxAttempts: 2,
    // Without the last the SDK only warns of a request that hangs, and waits on.
    requestHandler: { connectionTimeout: timeout, requestTimeout: timeout, throwOnRequestTimeout: true },
    ...(endpoint === undefined ? {} : { endpoint }),
  });
  client.middlewareStack.add(
    (next) => async (request) => {
      try {
        return await next(request);
      } catch (error) {
        if (isPassing(error)) {
          throw unavailable(
            'registry-unavailable',
            `DynamoDB does not answer now: ${error.message}`,
            2,
            error,
          );
        }
        throw error;
      }
    },
    // Around the SDK's own retries.
    { step: 'initialize', name: 'meridianOutage' },
  );
  return DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });
}

const isPassing = (error: unknown): error is Error =>
  isSdkError(error) && (isTransientError(error) || isThrottlingError(error) || isServerError(error));

/** The SDK throws nothing else; its classification wants to be told. */
const isSdkError = (error: unknown): error is SdkError => error instanceof Error;
