// The test picture's clock, as a worker: a hidden tab's own timers run once a second only.
// @ts-check

setInterval(() => postMessage(undefined), 1000 / 30);
