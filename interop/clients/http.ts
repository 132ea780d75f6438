// One WHIP or WHEP session over HTTP, for libraries that bring none.

/** ms for an answer. */
const ANSWER = 20_000;

export interface HttpSession {
  answer: string;
  /** Ends it, as a client should. */
  end(): Promise<void>;
}

/** @throws Error with the status and the body of anything but a 201. */
export async function post(url: string, offer: string, token?: string): Promise<HttpSession> {
  const authorization: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/sdp', ...authorization },
    body: offer,
    signal: AbortSignal.timeout(ANSWER),
  });
  const answer = await response.text();
  if (response.status !== 201) throw new Error(`${response.status}: ${answer}`);
  const location = new URL(response.headers.get('location') ?? '', url);
  return {
    answer,
    end: async () => {
      const signal = AbortSignal.timeout(ANSWER);
      await fetch(location, { method: 'DELETE', headers: authorization, signal });
    },
  };
}
