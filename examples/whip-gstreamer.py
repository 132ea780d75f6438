#!/usr/bin/env python3
# Publishes a test picture by WHIP with GStreamer's webrtcbin. Debian 12: apt-get install python3-gst-1.0 gir1.2-gst-plugins-{base,bad}-1.0 gstreamer1.0-plugins-{base,good,bad,ugly} gstreamer1.0-nice
# usage: whip-gstreamer.py http://127.0.0.1:8101/whip/my-stream TOKEN [seconds]
import sys, urllib.request, urllib.parse
if len(sys.argv) < 3:
    sys.exit("usage: whip-gstreamer.py URL TOKEN [seconds]")
try:
    import gi
    for name in ("Gst", "GstWebRTC", "GstSdp"): gi.require_version(name, "1.0")
except (ImportError, ValueError) as error:
    sys.exit(f"{error}; the packages that it needs stand in the second line of this file")
from gi.repository import Gst, GstWebRTC, GstSdp, GLib
Gst.init(None)
url, token = sys.argv[1], sys.argv[2]
seconds = int(sys.argv[3]) if len(sys.argv) > 3 else 0
pipe = Gst.parse_launch("""
 webrtcbin name=w bundle-policy=max-bundle
 videotestsrc is-live=true pattern=ball ! video/x-raw,width=640,height=360,framerate=30/1 ! videoconvert
  ! x264enc tune=zerolatency speed-preset=ultrafast bitrate=800 key-int-max=60 bframes=0 ! video/x-h264,profile=constrained-baseline
  ! rtph264pay config-interval=-1 aggregate-mode=zero-latency ! application/x-rtp,media=video,encoding-name=H264,payload=96 ! w.
 audiotestsrc is-live=true wave=ticks ! audioconvert ! audioresample ! opusenc ! rtpopuspay
  ! application/x-rtp,media=audio,encoding-name=OPUS,payload=111 ! w.
""")
w, loop, session = pipe.get_by_name("w"), GLib.MainLoop(), None

def on_offer(promise, *_):
    reply = promise.get_reply()                                 # keep it: the offer lives in it
    offer = reply.get_value("offer")
    w.emit("set-local-description", offer, Gst.Promise.new())   # the offer is sent when every candidate is in it

def on_gathered(*_):
    if w.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
        GLib.idle_add(post)

def post():
    global session
    sdp = w.get_property("local-description").sdp.as_text()
    req = urllib.request.Request(url, sdp.encode(), {"Content-Type": "application/sdp", "Authorization": "Bearer " + token})
    try:
        res = urllib.request.urlopen(req, timeout=10)
    except urllib.error.HTTPError as e:
        print(e.code, e.read().decode()); print(sdp); return loop.quit()
    session = urllib.parse.urljoin(url, res.headers["Location"])
    _, msg = GstSdp.SDPMessage.new_from_text(res.read().decode())
    w.emit("set-remote-description", GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, msg), Gst.Promise.new())
    print(res.status, session[:100], "...", flush=True)

w.connect("on-negotiation-needed", lambda _: w.emit("create-offer", None, Gst.Promise.new_with_change_func(on_offer)))
w.connect("notify::ice-gathering-state", on_gathered)
w.connect("notify::connection-state", lambda *_: print(w.get_property("connection-state").value_nick, flush=True))
ice = w.get_property("ice-agent")
ice.get_property("agent").set_property("keepalive-conncheck", True)  # else libnice sends no STUN request and Meridian ends the session after 10 s
ice.emit("add-local-ip-address", "127.0.0.1")                        # the node is on loopback: UDP to it; without this it is ICE-TCP, 2 s later
pipe.set_state(Gst.State.PLAYING)
if seconds: GLib.timeout_add_seconds(seconds, loop.quit)
try: loop.run()
except KeyboardInterrupt: pass
if session:
    print("DELETE", urllib.request.urlopen(urllib.request.Request(session, method="DELETE", headers={"Authorization": "Bearer " + token}), timeout=10).status)
pipe.set_state(Gst.State.NULL)
