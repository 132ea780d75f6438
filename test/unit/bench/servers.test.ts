import { expect, test } from 'vitest';
import { peer } from '#bench/servers.ts';

test('a peer is named by its name, endpoints and process', async () => {
  const kind = peer(`other,http://127.0.0.1:8889/a/whip,http://127.0.0.1:8889/a/whep,${process.pid}`);
  expect(kind.name).toBe('other');
  expect(await kind.start()).toMatchObject({ whep: 'http://127.0.0.1:8889/a/whep', pid: process.pid });
});

test.each([
  'other',
  'other,http://a/whip,http://a/whep',
  'other,http://a/whip,http://a/whep,0',
  'other,http://a/whip,http://a/whep,1,2',
  'other,nonsense,http://a/whep,1',
  ',http://a/whip,http://a/whep,1',
])('%s is refused', (spec) => {
  expect(() => peer(spec)).toThrow(/name,whip,whep,pid/);
});

test.each([
  ['bare,http://a/whip,http://a/whep,1', 'a server of ours'],
  ['other,http://a/whip,http://a/whep,999999999', 'no process'],
])('%s is refused: %s', (spec, why) => {
  expect(() => peer(spec)).toThrow(why);
});
