import { afterEach, expect, test, vi } from 'vitest';
import { reconnectUrl } from '#client/reconnect-url.js';

afterEach(() => {
  vi.unstubAllGlobals();
});

test.each([
  ['https://b.example/whep/x', 'https://a.example/whep/x', 'https://b.example/whep/x'],
  [
    'https://b.example/whep/x',
    'https://a.example/whep/x?maxHeight=90&token=a%2Bb',
    'https://b.example/whep/x?maxHeight=90&token=a%2Bb',
  ],
  [
    'https://b.example/whep/x?ticket=1&token=new',
    'https://a.example/whep/x?token=old&l=1&l=2',
    'https://b.example/whep/x?ticket=1&token=new&l=1&l=2',
  ],
])('told to go to %s, a player of %s goes to %s', (url, first, expected) => {
  expect(reconnectUrl(url, first)).toBe(expected);
});

test.each([[undefined], [7], [''], ['/whep/x'], ['javascript:alert(1)'], ['https://']])(
  'told to go to %s, which is no place, it goes where it went at first',
  (url) => {
    expect(reconnectUrl(url, 'https://a.example/whep/x?token=t')).toBe('https://a.example/whep/x?token=t');
  },
);

test('its own URL may be relative to the page', () => {
  vi.stubGlobal('document', { baseURI: 'https://page.example/watch/' });
  expect(reconnectUrl('https://b.example/whep/x', '/whep/x?maxHeight=90')).toBe(
    'https://b.example/whep/x?maxHeight=90',
  );
});
