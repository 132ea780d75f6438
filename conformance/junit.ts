// The results as JUnit XML, for CI systems.

import type { Verdict } from './run.ts';

const escaped = (text: string): string =>
  text.replace(/[<>&"']/g, (character) => `&#${character.charCodeAt(0)};`).replace(/[^\P{Cc}\n\t]/gu, '?');

export function junit(verdicts: readonly Verdict[]): string {
  const count = (wanted: string) => verdicts.filter(({ result }) => result === wanted).length;
  const cases = verdicts.map(({ row, result, why, took }) => {
    const name = escaped(`${row.id}: ${row.requirement}`);
    const inner =
      result === 'PASS' ? '' : `<${result === 'FAIL' ? 'failure' : 'skipped'} message="${escaped(why)}"/>`;
    return `  <testcase classname="${row.level}" name="${name}" time="${(took / 1000).toFixed(3)}">${inner}</testcase>`;
  });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuite name="WHIP and WHEP" tests="${verdicts.length}" failures="${count('FAIL')}" skipped="${count('SKIP')}">`,
    ...cases,
    '</testsuite>',
    '',
  ].join('\n');
}
