// Pages that a test opens, closed after it.

import type { Page } from 'playwright-core';
import { afterEach } from 'vitest';
import type { Browser } from '#test/media/chromium.ts';

/**
 * Both are asked when a page is opened: a test file makes them before its first test.
 * @param url of every page.
 * @returns also the pages that are open, oldest first.
 */
export function usePages(browser: () => Browser, url: () => string) {
  const pages: Page[] = [];
  afterEach(async () => {
    await Promise.all(pages.splice(0).map((page) => page.close()));
  });
  const open = async (): Promise<Page> => {
    const page = await browser().open(url());
    pages.push(page);
    return page;
  };
  return { open, pages };
}
