// What is published: the camera, the screen or the test picture.
// @ts-check

import { testPicture } from './test-picture.js';

/** @typedef {'test' | 'camera' | 'screen'} SourceKind */

/**
 * @typedef {object} Source
 * @property {MediaStream} media
 * @property {() => void} stop ends every track
 */

/**
 * @param {SourceKind} kind
 * @param {{ stream: string, region: string }} title what the test picture says
 * @returns {Promise<Source>}
 * @throws Error with one sentence for a person.
 */
export async function openSource(kind, title) {
  if (kind === 'test') return testPicture(title);
  const devices = /** @type {MediaDevices | undefined} */ (navigator.mediaDevices);
  if (devices === undefined) {
    throw new Error('The browser gives a page its camera and screen only on https or on this machine.');
  }
  try {
    const media = kind === 'camera' ? await camera(devices) : await screen(devices);
    return { media, stop: () => media.getTracks().forEach((track) => void track.stop()) };
  } catch (error) {
    throw new Error(explain(kind, error), { cause: error });
  }
}

/** @param {MediaDevices} devices */
async function camera(devices) {
  const video = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
  try {
    return await devices.getUserMedia({ video, audio: true });
  } catch (error) {
    // A camera without a microphone is still worth publishing.
    if (error instanceof DOMException && error.name === 'NotFoundError')
      return devices.getUserMedia({ video });
    throw error;
  }
}

/** @param {MediaDevices} devices */
const screen = (devices) => devices.getDisplayMedia({ video: { frameRate: { ideal: 30 } }, audio: true });

/**
 * @param {'camera' | 'screen'} kind
 * @param {unknown} error
 */
function explain(kind, error) {
  const name = error instanceof DOMException ? error.name : '';
  if (name === 'NotAllowedError') return `The browser was not allowed to use the ${kind}.`;
  if (name === 'NotFoundError') return `There is no ${kind} here; the test picture works without one.`;
  if (name === 'NotReadableError') return `The ${kind} is in use by another program.`;
  return `The ${kind} did not open: ${error instanceof Error ? error.message : String(error)}`;
}
