# GStreamer's encoders and decoders, as parts of a pipeline: for webrtcbin, and for libraries that only carry RTP.
from lines import missing

try:
    import gi

    for name in ("Gst", "GstWebRTC", "GstSdp"):
        gi.require_version(name, "1.0")
    from gi.repository import Gst
except (ImportError, ValueError) as error:
    missing(f"{error}: apt-get install python3-gst-1.0 gir1.2-gst-plugins-base-1.0 gir1.2-gst-plugins-bad-1.0")

Gst.init(None)

# I420: of another format VP9 would make its profile 1, which not everybody decodes.
PICTURE = "videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width=640,height=360,framerate=30/1"

# A key frame a second, besides those that are asked for: who only carries RTP cannot ask.
ENCODE = {
    "VP8": "vp8enc deadline=1 cpu-used=8 keyframe-max-dist=30 target-bitrate=800000 ! rtpvp8pay",
    "VP9": "vp9enc deadline=1 cpu-used=8 keyframe-max-dist=30 target-bitrate=800000 ! rtpvp9pay",
    "H264": "x264enc tune=zerolatency speed-preset=ultrafast bitrate=800 key-int-max=30 bframes=0"
    " ! video/x-h264,profile=constrained-baseline ! rtph264pay config-interval=-1 aggregate-mode=zero-latency",
}

DECODE = {
    "VP8": "rtpvp8depay ! vp8dec",
    "VP9": "rtpvp9depay ! vp9dec",
    "H264": "rtph264depay ! h264parse ! avdec_h264",
}

# Elements and the packages that they are in.
NEEDED = {
    "videotestsrc": "gstreamer1.0-plugins-base",
    "vp8enc": "gstreamer1.0-plugins-good",
    "webrtcbin": "gstreamer1.0-plugins-bad",
    "x264enc": "gstreamer1.0-plugins-ugly",
    "avdec_h264": "gstreamer1.0-libav",
    "nicesink": "gstreamer1.0-nice",
}

LACKS = {"AV1": "Debian 12's GStreamer has no RTP payloader for it (rtpav1pay is in gst-plugins-rs)"}


def check():
    """Ends the process where an element is not installed."""
    packages = [package for element, package in NEEDED.items() if Gst.ElementFactory.find(element) is None]
    if packages:
        missing("apt-get install " + " ".join(packages))


def version():
    return ".".join(str(part) for part in Gst.version()[:3])


class Pictures:
    """Counts the pictures that come to an element's sink pad, and keeps the last one's size."""

    def __init__(self, element, on_first=lambda: None):
        self.count = 0
        self.width = None
        self.height = None
        self._on_first = on_first
        pad = element.get_static_pad("sink")
        pad.add_probe(Gst.PadProbeType.BUFFER | Gst.PadProbeType.EVENT_DOWNSTREAM, self._probe)

    def _probe(self, _pad, info):
        if info.type & Gst.PadProbeType.BUFFER:
            self.count += 1
            if self.count == 1:
                self._on_first()
        else:
            event = info.get_event()
            if event.type == Gst.EventType.CAPS:
                shape = event.parse_caps().get_structure(0)
                self.width, self.height = shape.get_value("width"), shape.get_value("height")
        return Gst.PadProbeReturn.OK
