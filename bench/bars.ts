// A bar chart as an SVG: a row for each measurement, and where there were several, how far they lay apart.

export interface Bar {
  label: string;
  value: number;
  /** The smallest and the largest of the repeats. */
  spread: readonly [number, number] | undefined;
}

const [LEFT, WIDTH, RIGHT] = [360, 460, 80];
const [TOP, ROW, BAR] = [40, 24, 14];

/** @param bars the largest one's end is the end of the axis, which begins at 0. */
export function barChart(title: string, bars: readonly Bar[]): string {
  const most = Math.max(...bars.map(({ value, spread }) => Math.max(value, spread?.[1] ?? 0)));
  const x = (value: number) => (LEFT + (WIDTH * value) / most).toFixed(1);
  const rows = bars.flatMap(({ label, value, spread }, index) => {
    const middle = TOP + (index + 0.5) * ROW;
    const width = ((WIDTH * value) / most).toFixed(1);
    const end = Math.max(value, spread?.[1] ?? 0);
    return [
      `<text x="${LEFT - 10}" y="${middle + 4}" text-anchor="end">${escaped(label)}</text>`,
      `<rect x="${LEFT}" y="${middle - BAR / 2}" width="${width}" height="${BAR}" fill="#69c"/>`,
      ...(spread
        ? [`<path d="M${x(spread[0])} ${middle}H${x(spread[1])}" stroke="#124" stroke-width="2"/>`]
        : []),
      `<text x="${Number(x(end)) + 6}" y="${middle + 4}">${value}</text>`,
    ];
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${LEFT + WIDTH + RIGHT}" height="${TOP + bars.length * ROW + 16}" font-family="sans-serif" font-size="12" fill="#222">
<title>${escaped(title)}</title>
<rect width="100%" height="100%" fill="white"/>
<text x="${LEFT}" y="20" font-weight="bold">${escaped(title)}</text>
${rows.join('\n')}
</svg>
`;
}

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
