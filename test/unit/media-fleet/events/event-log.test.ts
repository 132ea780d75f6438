// What is news of a stream, what is too often or too small to be, and what a latecomer hears.

import { beforeEach, expect, it } from 'vitest';
import { EventLog, type StreamEvent } from '#media-fleet/events/event-log.ts';
import type { LayerReport } from '#media-fleet/layers/layer-report.ts';

let log: EventLog;
let told: StreamEvent[];
beforeEach(() => {
  log = new EventLog();
  told = [];
  log.on('event', (event) => told.push(event));
});

const kinds = (events: readonly StreamEvent[]) => events.map(({ event }) => event);
const counts = () => told.flatMap((event) => (event.event === 'viewercount' ? [event.data.viewercount] : []));

const report = (...bitrates: number[]): LayerReport => ({
  active: bitrates.flatMap((bitrate, layer) =>
    bitrate > 0 ? [{ id: `r${layer}`, simulcastIdx: layer, bitrate }] : [],
  ),
  inactive: bitrates.flatMap((bitrate, layer) =>
    bitrate > 0 ? [] : [{ id: `r${layer}`, simulcastIdx: layer }],
  ),
  layers: [],
});

it('a stream becomes live at once, and is gone when it was without media for a second', () => {
  log.setLive(true, 0);
  expect(kinds(told)).toEqual(['active']);
  log.setLive(false, 5_000);
  log.setLive(false, 5_999);
  expect(kinds(told)).toEqual(['active']);
  log.setLive(false, 6_000);
  log.setLive(false, 60_000);
  expect(kinds(told)).toEqual(['active', 'inactive']);
  log.setLive(true, 61_000);
  expect(kinds(told)).toEqual(['active', 'inactive', 'active']);
});

it('a leg that changes hands is no news, however often', () => {
  log.setLive(true, 0);
  for (let at = 0; at < 10_000; at += 900) {
    log.setLive(false, at);
    log.setLive(true, at + 899);
  }
  expect(kinds(told)).toEqual(['active']);
});

it('a stream that was never live is not gone either', () => {
  log.setLive(false, 0);
  log.setLive(false, 10_000);
  expect(told).toEqual([]);
});

it('viewers are counted at once, then every two seconds at most, the newest count only', () => {
  for (let at = 0; at <= 4_100; at += 100) log.setViewers(at / 100, at);
  expect(counts()).toEqual([0, 20, 40]);
  log.setViewers(40, 10_000);
  expect(counts()).toEqual([0, 20, 40]);
});

it('layers are news when one comes or goes, or its bitrate moves by more than a quarter', () => {
  log.setLayers(report(100, 400), 0);
  log.setLayers(report(125, 310), 1_000);
  expect(told).toHaveLength(1);
  log.setLayers(report(136, 400), 2_000);
  expect(told).toHaveLength(2);
  log.setLayers(report(136, 0), 3_000);
  expect(told).toHaveLength(3);
  log.setLayers(
    { ...report(136, 0), layers: [{ encodingId: 'r0', spatialLayerId: 0, temporalLayerId: 1 }] },
    4_000,
  );
  expect(told).toHaveLength(4);
});

it('layers are told once a second at most', () => {
  log.setLayers(report(100), 0);
  log.setLayers(report(900), 999);
  expect(told).toHaveLength(1);
  log.setLayers(report(900), 1_000);
  expect(told.at(-1)).toMatchObject({ event: 'layers', data: { active: [{ bitrate: 900 }] } });
});

it('a latecomer hears how things stand, in their order; who has heard something hears what is new', () => {
  log.setLive(true, 0);
  log.setViewers(1, 0);
  log.setLayers(report(100), 0);
  log.setViewers(2, 2_000);
  expect(kinds(log.since())).toEqual(['active', 'layers', 'viewercount']);
  expect(log.since(3)).toEqual([{ id: 4, event: 'viewercount', data: { viewercount: 2 } }]);
  expect(log.since(4)).toEqual([]);
  expect(kinds(log.since(0))).toEqual(['active', 'layers', 'viewercount']);
});

it('a latecomer hears nothing of a stream that is gone, who was there hears that it is, and nobody of its layers', () => {
  log.setLive(true, 0);
  log.setLayers(report(100), 0);
  for (const at of [1_000, 2_000]) log.setLive(false, at);
  expect(log.since()).toEqual([]);
  expect(kinds(log.since(1))).toEqual(['inactive']);
});

it('a number is given once', () => {
  log.setLive(true, 0);
  const own = log.nextId();
  log.setViewers(1, 0);
  expect([told[0]?.id, own, told[1]?.id]).toEqual([1, 2, 3]);
  expect([0, 3, 4].map((id) => log.hasGiven(id))).toEqual([true, true, false]);
});
