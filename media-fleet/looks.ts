// A look that is made again and again, and never twice at once.

/**
 * Looks at every `interval` ms; a worker or a database that is slow to answer gets no second look on top.
 * @param onFailure told of each look that failed.
 * @returns what ends it.
 */
export function lookEvery(
  interval: number,
  look: () => Promise<unknown>,
  onFailure: (error: unknown) => void,
): () => void {
  let looking = false;
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    look()
      .catch(onFailure)
      .finally(() => {
        looking = false;
      });
  }, interval);
  return () => clearInterval(timer);
}
