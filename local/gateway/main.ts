// A region's gateway process: API Gateway's part, with the real Lambda handlers behind it.

import {
  createServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { enableCompileCache } from 'node:module';
import { Server } from 'node:net';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda';
import type { FunctionName } from '#functions/routes.ts';
import { matchRoute, PayloadTooLong, readPayload, toEvent, writeAnswer } from './event.ts';
import { isSigned } from './signature-check.ts';

enableCompileCache();

type LambdaHandler = (
  event: APIGatewayProxyEventV2,
  context: Context,
) => Promise<APIGatewayProxyStructuredResultV2>;

const handlers: Record<FunctionName, LambdaHandler> = {
  whip: (await import('#functions/whip/handler.ts')).handler,
  whep: (await import('#functions/whep/handler.ts')).handler,
  cascade: (await import('#functions/cascade/handler.ts')).handler,
  api: (await import('#functions/api/handler.ts')).handler,
  'cluster-nodes': (await import('#functions/cluster-nodes/handler.ts')).handler,
  healthz: (await import('#functions/healthz/handler.ts')).handler,
};

const {
  MERIDIAN_REGION: region = '',
  AWS_ACCESS_KEY_ID: accessKeyId = '',
  AWS_SECRET_ACCESS_KEY: secretAccessKey = '',
} = process.env;

const servers: HttpServer[] = [];

function listenOn(socket: Server): void {
  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      // The client went away while it was sending: nobody is there to be told.
      if (request.destroyed && !request.complete) return;
      if (error instanceof PayloadTooLong) send(response, 413, 'Request Too Long');
      else {
        console.error(error);
        if (!response.headersSent) send(response, 500, 'Internal Server Error');
      }
    });
  });
  // An encoder keeps its connection between requests; API Gateway closes idle ones after a minute too.
  server.keepAliveTimeout = 60_000;
  server.listen(socket);
  servers.push(server);
}

/** API Gateway's own answers are JSON with one member. */
const send = (response: ServerResponse, statusCode: number, message: string) =>
  writeAnswer(response, {
    statusCode,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ message }),
  });

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const payload = await readPayload(request);
  if (!URL.canParse(request.url ?? '/', 'http://gateway')) return send(response, 400, 'Bad Request');
  const { pathname } = new URL(request.url ?? '/', 'http://gateway');
  const matched = matchRoute(request.method ?? 'GET', pathname);
  if (matched === undefined) return send(response, 404, 'Not Found');
  const { route } = matched;
  if (
    route.auth === 'iam' &&
    !(await isSigned(request, payload, { region, credentials: { accessKeyId, secretAccessKey } }))
  ) {
    return send(response, 403, 'Forbidden');
  }
  const event = toEvent(request, { ...matched, payload });
  writeAnswer(response, await handlers[route.function](event, lambdaContext(route.function, event)));
}

/** What a Lambda learns about its invocation. */
function lambdaContext(name: FunctionName, { requestContext }: APIGatewayProxyEventV2): Context {
  const deadline = performance.now() + 29_000;
  const notUsed = () => {
    throw new Error('callbacks are not supported by Node.js 24 functions');
  };
  return {
    callbackWaitsForEmptyEventLoop: false,
    functionName: name,
    functionVersion: '$LATEST',
    invokedFunctionArn: `arn:aws:lambda:${region}:000000000000:function:${name}`,
    memoryLimitInMB: '512',
    awsRequestId: requestContext.requestId,
    logGroupName: name,
    logStreamName: 'local',
    getRemainingTimeInMillis: () => deadline - performance.now(),
    done: notUsed,
    fail: notUsed,
    succeed: notUsed,
  };
}

const stop = () => {
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
  process.exit();
};
process.once('SIGTERM', stop);
process.once('SIGINT', stop);
process.once('disconnect', stop);

// The world listens, so that every region's address is known before any process starts, and hands the sockets over.
process.on('message', (_message, socket) => {
  if (socket instanceof Server) listenOn(socket);
});
process.send?.({ ready: region });
