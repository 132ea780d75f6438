# GStreamer's webrtcbin: `about`, `publish URL TOKEN FORM` or `view URL CODEC`.
import sys
import time

from lines import Session, fail, say, when_told_to_stop
from pipelines import DECODE, ENCODE, LACKS, PICTURE, Gst, Pictures, check, version
from gi.repository import GLib, GstSdp, GstWebRTC

check()

# As in an offer of Chromium's; a viewer's answer must have the offer's.
PAYLOAD_TYPES = {"VP8": 96, "VP9": 98, "H264": 102, "BASELINE": 104, "OPUS": 111}
LOOK = 200  # ms


def caps_of(codec):
    return f"application/x-rtp,media=video,encoding-name={codec},clock-rate=90000,payload={PAYLOAD_TYPES[codec]}"


def wanted(codec):
    """What a viewer offers: an encoder's caps say its profile themselves."""
    feedback = ",rtcp-fb-nack=(boolean)true,rtcp-fb-nack-pli=(boolean)true"
    if codec != "H264":
        return caps_of(codec) + feedback
    h264 = "application/x-rtp,media=video,encoding-name=H264,clock-rate=90000,packetization-mode=(string)1"
    # Constrained baseline, and the whole of it.
    profiles = {PAYLOAD_TYPES["H264"]: "42e01f", PAYLOAD_TYPES["BASELINE"]: "42001f"}
    return "; ".join(
        f"{h264},profile-level-id=(string){profile},payload={number}{feedback}" for number, profile in profiles.items()
    )



AUDIO_CAPS = f"application/x-rtp,media=audio,encoding-name=OPUS,clock-rate=48000,encoding-params=(string)2,payload={PAYLOAD_TYPES['OPUS']}"


class Peer:
    def __init__(self, pipeline, url, token=None):
        self.url, self.token = url, token
        self.loop = GLib.MainLoop()
        self.pipe = Gst.Pipeline.new()
        self.pipe.add(Gst.parse_launch(pipeline))
        self.web = self.pipe.get_by_name("w")
        self.session = None
        self.started = None
        self.look = lambda stats: None
        bus = self.pipe.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", lambda _bus, message: self.end(message.parse_error()[0].message))
        self.web.connect("on-negotiation-needed", lambda _: self.offer())
        self.web.connect("notify::ice-gathering-state", lambda *_: self.on_gathered())
        self.web.connect("notify::connection-state", lambda *_: self.on_state())
        # Kept: Python would let go of one reference too many.
        self.ice = self.web.get_property("ice-agent")
        self.agent = self.ice.get_property("agent")
        # Else libnice sends no consent checks (RFC 7675), and the session is taken for gone.
        self.agent.set_property("keepalive-conncheck", True)
        # The local world's nodes are on loopback.
        self.ice.emit("add-local-ip-address", "127.0.0.1")

    def run(self):
        when_told_to_stop(lambda: GLib.idle_add(self.end))
        self.pipe.set_state(Gst.State.PLAYING)
        self.loop.run()
        self.pipe.set_state(Gst.State.NULL)
        if self.session:
            self.session.end()

    def end(self, why=None):
        if why:
            say(**{"is": "failed", "why": str(why)})
        self.loop.quit()

    def offer(self):
        def made(promise):
            reply = promise.get_reply()  # The offer lives in it.
            self.web.emit("set-local-description", reply.get_value("offer"), Gst.Promise.new())

        self.web.emit("create-offer", None, Gst.Promise.new_with_change_func(made))

    def on_gathered(self):
        if self.web.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            GLib.idle_add(self.post)

    def on_state(self):
        if self.web.get_property("connection-state") == GstWebRTC.WebRTCPeerConnectionState.FAILED:
            GLib.idle_add(self.end, "the connection failed")

    def post(self):
        self.started = time.monotonic()
        offer = self.web.get_property("local-description").sdp.as_text()
        try:
            self.session = Session(self.url, offer, self.token)
        except (OSError, ValueError) as error:
            return self.end(error)
        _, answer = GstSdp.SDPMessage.new_from_text(self.session.answer)
        kind = GstWebRTC.WebRTCSDPType.ANSWER
        self.web.emit(
            "set-remote-description", GstWebRTC.WebRTCSessionDescription.new(kind, answer), Gst.Promise.new()
        )
        GLib.timeout_add(LOOK, self.ask)
        return False

    def ask(self):
        """Asks for statistics, of which look tells."""
        self.web.emit("get-stats", None, Gst.Promise.new_with_change_func(self.tell))
        return True

    def tell(self, promise):
        reply = promise.get_reply()
        GLib.idle_add(lambda: self.look(reply))


def of(stats, kind, ssrc, name):
    """One number of a stream's statistics: found by the SSRC, for "kind" may be the other medium's in a bundle."""
    stream = f"rtp-{kind}-stream-stats_{ssrc}"
    if not stats.has_field(stream):
        return 0
    found = stats.get_value(stream)
    return found.get_value(name) if found.has_field(name) else 0


def ssrc_at(pad):
    caps = pad and pad.get_current_caps()
    return caps.get_structure(0).get_value("ssrc") if caps else None


def publish(url, token, codec):
    peer = Peer(
        f"""webrtcbin name=w bundle-policy=max-bundle
        {PICTURE} ! {ENCODE[codec]} ! {caps_of(codec)} ! w.
        audiotestsrc is-live=true wave=ticks ! audioconvert ! audioresample ! opusenc ! rtpopuspay ! {AUDIO_CAPS} ! w.""",
        url,
        token,
    )
    video = peer.web.get_static_pad("sink_0")
    peer.look = lambda stats: say(
        **{"is": "sending", "packets": of(stats, "outbound", ssrc_at(video), "packets-sent")}
    )
    peer.run()


def view(url, codec):
    peer = Peer("webrtcbin name=w bundle-policy=max-bundle", url)
    seen = {"pictures": None, "first": None, "ssrc": None}

    def first():
        seen["first"] = round((time.monotonic() - peer.started) * 1000, 1)

    def on_pad(_web, pad):
        if pad.direction != Gst.PadDirection.SRC:
            return
        is_video = pad.get_current_caps().get_structure(0).get_string("media") == "video"
        decode = f"queue ! {DECODE[codec]} !" if is_video else ""
        part = Gst.parse_bin_from_description(f"{decode} fakesink name=end sync=false", True)
        if is_video:
            seen["ssrc"] = ssrc_at(pad)
            seen["pictures"] = Pictures(part.get_by_name("end"), first)
        peer.pipe.add(part)
        part.sync_state_with_parent()
        pad.link(part.get_static_pad("sink"))

    def look(stats):
        pictures = seen["pictures"]
        say(
            **{
                "is": "watching",
                "decoded": pictures.count if pictures else 0,
                "firstFrameMs": seen["first"],
                "received": of(stats, "inbound", seen["ssrc"], "packets-received"),
                "lost": of(stats, "inbound", seen["ssrc"], "packets-lost"),
                "width": pictures and pictures.width,
                "height": pictures and pictures.height,
            }
        )

    peer.look = look
    peer.web.connect("pad-added", on_pad)
    for caps in (wanted(codec), AUDIO_CAPS):
        direction = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
        peer.web.emit("add-transceiver", direction, Gst.Caps.from_string(caps))
    peer.run()


command, *rest = sys.argv[1:]
if command == "about":
    codecs = list(ENCODE)
    say(**{"is": "about", "version": f"GStreamer {version()} (webrtcbin)", "publishes": codecs, "views": codecs, "lacks": LACKS})
elif command == "publish":
    publish(*rest)
elif command == "view":
    view(*rest)
else:
    fail(f'unknown command "{command}"; there are about, publish and view')
