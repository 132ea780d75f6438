// @ts-check
// Debian's packages of the clients that `npm run interop` lets publish and view. Without them it runs all the same, and
// says which clients it skipped.
import fs from 'node:fs';
import { ensureDebianPackages } from './debian-packages.mjs';
import { SetupError } from './error.mjs';
import { say } from './progress.mjs';

const PACKAGES = [
  'chromium',
  'firefox-esr',
  // GStreamer, which is also what libraries without codecs are fed by and decoded with.
  'python3-gst-1.0',
  'gir1.2-gst-plugins-base-1.0',
  'gir1.2-gst-plugins-bad-1.0',
  'gstreamer1.0-plugins-base',
  'gstreamer1.0-plugins-good',
  'gstreamer1.0-plugins-bad',
  'gstreamer1.0-plugins-ugly',
  'gstreamer1.0-libav',
  'gstreamer1.0-nice',
  'python3-aiortc',
  'golang-go',
  'golang-github-pion-webrtc.v3-dev',
];

/** One file of each client's packages: a run with nothing to do costs no call of dpkg. */
const FILES = [
  '/usr/bin/chromium',
  '/usr/bin/firefox-esr',
  '/usr/share/doc/gstreamer1.0-nice',
  '/usr/share/doc/gstreamer1.0-libav',
  '/usr/share/doc/gstreamer1.0-plugins-ugly',
  '/usr/share/doc/python3-gst-1.0',
  '/usr/share/doc/python3-aiortc',
  '/usr/bin/go',
  '/usr/share/doc/golang-github-pion-webrtc.v3-dev',
];

/** @type {import('../setup.mjs').Step} */
export const interopClients = {
  isReady: () => FILES.every((file) => fs.existsSync(file)),
  make: async () => {
    try {
      await ensureDebianPackages(PACKAGES, {
        purpose: 'to run every client',
        otherwise: 'Clients that are missing are skipped.',
      });
    } catch (error) {
      if (!(error instanceof SetupError)) throw error;
      say(error.message);
    }
  },
};
