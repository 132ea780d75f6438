# Makes and decodes RTP for libraries that only carry it: `about`, `encode CODEC PORT` or `decode CODEC`.
# encode sends a test picture (payload type 96) and a tone (Opus, 111) to the port; decode says its port, and then what it has decoded.
import sys

from lines import fail, say, when_told_to_stop
from pipelines import DECODE, ENCODE, PICTURE, Gst, Pictures, check, version
from gi.repository import GLib

LOOK = 200  # ms


def encode(codec, port):
    to = f"udpsink host=127.0.0.1 port={port} sync=false"
    return Gst.parse_launch(
        f"""{PICTURE} ! {ENCODE[codec]} mtu=1200 pt=96 ! {to}
        audiotestsrc is-live=true wave=ticks ! audioconvert ! audioresample ! opusenc ! rtpopuspay pt=111 ! {to}"""
    )


def decode(codec):
    caps = f"application/x-rtp,media=video,clock-rate=90000,encoding-name={codec},payload=96"
    pipe = Gst.parse_launch(
        f"""udpsrc name=in address=127.0.0.1 port=0 caps="{caps}"
        ! rtpjitterbuffer latency=50 ! {DECODE[codec]} ! fakesink name=end sync=false"""
    )
    pictures = Pictures(pipe.get_by_name("end"), lambda: GLib.idle_add(look))

    def look():
        say(decoded=pictures.count, width=pictures.width, height=pictures.height)
        return GLib.SOURCE_REMOVE

    def ready():
        say(port=pipe.get_by_name("in").get_property("port"))
        GLib.timeout_add(LOOK, lambda: look() or GLib.SOURCE_CONTINUE)

    return pipe, ready


def main(command, *rest):
    check()
    if command == "about":
        return say(version=version())
    if command not in ("encode", "decode"):
        return fail(f'unknown command "{command}"; there are about, encode and decode')
    loop = GLib.MainLoop()
    pipe, ready = (encode(*rest), lambda: None) if command == "encode" else decode(*rest)
    bus = pipe.get_bus()
    bus.add_signal_watch()
    bus.connect("message::error", lambda _bus, message: fail(message.parse_error()[0].message))
    when_told_to_stop(loop.quit)
    pipe.set_state(Gst.State.PLAYING)
    pipe.get_state(Gst.CLOCK_TIME_NONE) if command == "encode" else pipe.get_state(Gst.SECOND)
    ready()
    loop.run()
    pipe.set_state(Gst.State.NULL)


main(*sys.argv[1:])
