// The functions' log: one JSON object a line, with the time, the function and what is given.

import { Logger } from '@aws-lambda-powertools/logger';

// Its own name for who gives none is "service_undefined".
export const log = new Logger({ serviceName: process.env.POWERTOOLS_SERVICE_NAME ?? 'meridian' });
