// An audience's process: the players of one region. Apart from the run, whose database and child processes would make them late.

import { type AudienceReport, type AudienceRequest, request } from './audience-messages.ts';
import { LagMeter } from './lag.ts';
import { Player } from './player.ts';

/** Between two words of how the players are, in ms. */
const NEWS = 100;

const lag = new LagMeter();
let players: Player[] = [];

const say = (what: AudienceReport): void => {
  if (process.connected) process.send?.(what);
};
const log = (line: string) => say({ is: 'log', line });

process.on('message', (message: unknown) => {
  const asked = request.parse(message);
  const { id } = asked;
  answer(asked).then(
    (done) => say({ is: 'done', id, ...done }),
    // Nothing of a player's is thrown: this is a mistake of ours.
    (error: unknown) => {
      process.stderr.write(`an audience: ${String(error)}\n`);
      process.exit(1);
    },
  );
});
// However the run ended, its audiences end with it.
process.on('disconnect', () => process.exit());
// libwebrtc keeps threads that would keep the process.
process.on('SIGINT', () => process.exit());
setInterval(() => {
  const now = performance.now();
  const seats = players.map(({ node, pictureAt }) => ({ node, age: now - pictureAt }));
  say({ is: 'now', players: seats, lag: lag.takeLongest() });
}, NEWS);
say({ is: 'ready' });

async function answer(
  asked: AudienceRequest,
): Promise<Pick<Extract<AudienceReport, { is: 'done' }>, 'noted'>> {
  if (asked.do === 'join') {
    const { region, nodes } = asked;
    players = asked.players.map(
      (each) => new Player({ ...each, region, log, nodeAt: (address) => nodes[address] }),
    );
    await Promise.all(players.map((player) => player.join()));
  } else if (asked.do === 'rejoin') {
    await players[asked.player]?.rejoin();
  } else if (asked.do === 'observe') {
    for (const player of players) player.observe(asked.dies);
  } else if (asked.do === 'tell') {
    return { noted: players.map((player) => player.observation(lag)) };
  } else {
    await Promise.all(players.map((player) => player.close()));
  }
  return {};
}
