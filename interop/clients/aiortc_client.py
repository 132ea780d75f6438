# aiortc: `about`, `publish URL TOKEN FORM` or `view URL CODEC`.
import asyncio
import fractions
import sys
import time

from lines import Session, fail, missing, say, when_told_to_stop

try:
    import aiortc
    import av
    import numpy
    from aiortc.mediastreams import AudioStreamTrack, MediaStreamError
except ImportError as error:
    missing(f"{error}: apt-get install python3-aiortc")

LOOK = 0.2  # s
WIDTH, HEIGHT, RATE = 640, 360, 30
CODECS = ["VP8", "H264"]
LACKS = {codec: "aiortc has not got it" for codec in ("VP9", "AV1")}


class MovingBar(aiortc.VideoStreamTrack):
    """A bright bar that moves: a picture that is never twice the same."""

    def __init__(self):
        super().__init__()
        self._number = 0
        self._started = time.monotonic()

    async def recv(self):
        await asyncio.sleep(self._started + self._number / RATE - time.monotonic())
        picture = numpy.full((HEIGHT * 3 // 2, WIDTH), 128, dtype=numpy.uint8)
        picture[:HEIGHT] = 40
        left = self._number * 4 % (WIDTH - 40)
        picture[:HEIGHT, left : left + 40] = 220
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts, frame.time_base = self._number * 90000 // RATE, fractions.Fraction(1, 90000)
        self._number += 1
        return frame


def prefer(transceiver, codec):
    codecs = aiortc.RTCRtpSender.getCapabilities("video").codecs
    transceiver.setCodecPreferences([one for one in codecs if one.mimeType == f"video/{codec}"])


async def connect(peer, url, token=None):
    """Resolves to the session, when the answer is set, and the time of the POST."""
    await peer.setLocalDescription(await peer.createOffer())
    started = time.monotonic()
    session = await asyncio.to_thread(Session, url, peer.localDescription.sdp, token)
    await peer.setRemoteDescription(aiortc.RTCSessionDescription(session.answer, "answer"))
    return session, started


async def tell(look, peer):
    """Tells how it goes until stdin ends."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    when_told_to_stop(lambda: loop.call_soon_threadsafe(told.set))
    while not told.is_set():
        if peer.connectionState == "failed":
            fail("the connection failed")
        say(**await look())
        try:
            await asyncio.wait_for(told.wait(), LOOK)
        except asyncio.TimeoutError:
            pass


async def publish(url, token, codec):
    peer = aiortc.RTCPeerConnection()
    video = peer.addTransceiver(MovingBar(), direction="sendonly")
    peer.addTransceiver(AudioStreamTrack(), direction="sendonly")
    prefer(video, codec)
    session, _ = await connect(peer, url, token)

    async def look():
        stats = (await video.sender.getStats()).values()
        return {"is": "sending", "packets": sum(stat.packetsSent for stat in stats if stat.type == "outbound-rtp")}

    await tell(look, peer)
    await peer.close()
    session.end()


async def view(url, codec):
    peer = aiortc.RTCPeerConnection()
    video = peer.addTransceiver("video", direction="recvonly")
    audio = peer.addTransceiver("audio", direction="recvonly")
    prefer(video, codec)
    seen = {"decoded": 0}
    session, started = await connect(peer, url)

    async def drain(track, note):
        try:
            while True:
                note(await track.recv())
        except MediaStreamError:
            pass

    def picture(frame):
        seen["decoded"] += 1
        seen.setdefault("firstFrameMs", round((time.monotonic() - started) * 1000, 1))
        seen["width"], seen["height"] = frame.width, frame.height

    tasks = [
        asyncio.ensure_future(drain(video.receiver.track, picture)),
        asyncio.ensure_future(drain(audio.receiver.track, lambda _: None)),
    ]

    async def look():
        stats = [stat for stat in (await video.receiver.getStats()).values() if stat.type == "inbound-rtp"]
        return {
            "is": "watching",
            "received": sum(stat.packetsReceived for stat in stats),
            "lost": sum(stat.packetsLost for stat in stats),
            **seen,
        }

    await tell(look, peer)
    await peer.close()
    for task in tasks:
        task.cancel()
    session.end()


command, *rest = sys.argv[1:]
try:
    if command == "about":
        say(**{"is": "about", "version": f"aiortc {aiortc.__version__}", "publishes": CODECS, "views": CODECS, "lacks": LACKS})
    elif command == "publish":
        asyncio.run(publish(*rest))
    elif command == "view":
        asyncio.run(view(*rest))
    else:
        fail(f'unknown command "{command}"; there are about, publish and view')
except (OSError, ValueError) as error:
    fail(error)
