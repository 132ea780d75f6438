// A picture that moves and a soft tone, for those without a camera: a turning globe, a frame counter and a clock.
// @ts-check

const WIDTH = 960;
const HEIGHT = 540;
const FRAME_RATE = 30;

const GLOBE = { x: 262, y: 262, radius: 178 };
const MERIDIANS = 12;
const TEXT_LEFT = 500;

/** Degrees per second. */
const TURN = 24;

/**
 * @param {{ stream: string, region: string }} title
 * @returns {{ media: MediaStream, stop: () => void }}
 */
export function testPicture(title) {
  const canvas = document.createElement('canvas');
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  const context = canvas.getContext('2d', { alpha: false });
  if (context === null) throw new Error('This browser cannot draw the test picture.');
  let frame = 0;
  const ticker = new Worker(new URL('./ticker.js', import.meta.url));
  ticker.addEventListener('message', () => {
    frame += 1;
    draw(context, { ...title, frame });
  });
  draw(context, { ...title, frame });

  const tone = softTone();
  const media = canvas.captureStream(FRAME_RATE);
  media.addTrack(tone.track);
  return {
    media,
    stop: () => {
      ticker.terminate();
      tone.stop();
      for (const track of media.getTracks()) track.stop();
    },
  };
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {{ stream: string, region: string, frame: number }} what
 */
function draw(context, { stream, region, frame }) {
  const now = new Date();
  context.fillStyle = '#0e1d33';
  context.fillRect(0, 0, WIDTH, HEIGHT);
  drawGlobe(context, ((now.getTime() / 1000) * TURN) % 360);

  context.fillStyle = '#9db4d3';
  context.font = '24px system-ui, sans-serif';
  context.fillText(`published in ${region}`, TEXT_LEFT, 196, WIDTH - TEXT_LEFT - 30);
  context.fillText(`frame ${frame}`, TEXT_LEFT, 356);
  context.fillStyle = '#ffffff';
  context.font = '600 44px system-ui, sans-serif';
  context.fillText(stream, TEXT_LEFT, 152, WIDTH - TEXT_LEFT - 30);
  context.font = '500 62px ui-monospace, monospace';
  const [clock = ''] = now.toTimeString().split(' ');
  context.fillText(clock, TEXT_LEFT, 300);
  context.fillStyle = '#9db4d3';
  context.font = '500 30px ui-monospace, monospace';
  context.fillText(`.${String(now.getMilliseconds()).padStart(3, '0')}`, TEXT_LEFT + 302, 300);

  // A second of time, from left to right.
  context.fillStyle = '#1d3557';
  context.fillRect(0, HEIGHT - 14, WIDTH, 14);
  context.fillStyle = '#ffb057';
  context.fillRect(0, HEIGHT - 14, (WIDTH * now.getMilliseconds()) / 1000, 14);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} turned degrees
 */
function drawGlobe(context, turned) {
  const { x, y, radius } = GLOBE;
  context.fillStyle = '#14304f';
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
  context.strokeStyle = '#3f6ea5';
  context.lineWidth = 2;
  context.stroke();
  for (const latitude of [-60, -30, 0, 30, 60]) {
    const angle = (latitude * Math.PI) / 180;
    const half = radius * Math.cos(angle);
    const level = y - radius * Math.sin(angle);
    context.beginPath();
    context.moveTo(x - half, level);
    context.lineTo(x + half, level);
    context.stroke();
  }
  for (let index = 0; index < MERIDIANS; index += 1) {
    const longitude = ((turned + (index * 360) / MERIDIANS) % 360) - 180;
    if (Math.abs(longitude) > 90) continue;
    const bulge = Math.sin((longitude * Math.PI) / 180);
    context.strokeStyle = index === 0 ? '#ffb057' : '#5b93d6';
    context.lineWidth = index === 0 ? 6 : 2.5;
    context.beginPath();
    context.ellipse(x, y, radius * Math.abs(bulge), radius, 0, -Math.PI / 2, Math.PI / 2, bulge < 0);
    context.stroke();
  }
}

/** Two quiet sines that swell and fade slowly. */
function softTone() {
  const audio = new AudioContext();
  const out = audio.createMediaStreamDestination();
  const volume = new GainNode(audio, { gain: 0.05 });
  const swell = new OscillatorNode(audio, { frequency: 0.4 });
  swell.connect(new GainNode(audio, { gain: 0.03 })).connect(volume.gain);
  swell.start();
  for (const frequency of [220, 330]) {
    const sine = new OscillatorNode(audio, { frequency });
    sine.connect(volume);
    sine.start();
  }
  volume.connect(out);
  // Without a gesture the browser keeps it silent; Publish is one.
  audio.resume().catch(() => {});
  const [track] = out.stream.getAudioTracks();
  if (track === undefined) throw new Error('This browser cannot make the test tone.');
  return { track, stop: () => void audio.close() };
}
