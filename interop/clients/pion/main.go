// pion: `about`, `publish URL TOKEN FORM` or `view URL CODEC`; rtp.py, whose path is the first argument, codes for it.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/pion/webrtc/v3"
)

const (
	python    = "/usr/bin/python3"
	videoType = 96
	audioType = 111
	look      = 200 * time.Millisecond
	connect   = 15 * time.Second
	h264      = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id="
	// A viewer's second H264: the whole baseline profile.
	baselineType = 97
	// pion before ice 4.0.8 sends no STUN request while media flows (https://github.com/pion/ice/pull/767), and Meridian ends
	// a session that gives no consent for 10 s; a pause of media that is longer than this lets it send one.
	keepAlive = 10 * time.Millisecond
)

func say(what map[string]any) {
	line, _ := json.Marshal(what)
	fmt.Println(string(line))
}

func fail(err error) {
	say(map[string]any{"is": "failed", "why": err.Error()})
	os.Exit(1)
}

// stopped is closed when stdin ends: whoever started us wants the end, or is gone.
func stopped() <-chan struct{} {
	over := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(over)
	}()
	return over
}

func tell(over <-chan struct{}, peer *webrtc.PeerConnection, report func() map[string]any) error {
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for {
		if peer.ConnectionState() == webrtc.PeerConnectionStateFailed {
			return errors.New("the connection failed")
		}
		say(report())
		select {
		case <-over:
			return nil
		case <-ticker.C:
		}
	}
}

func newPeer(codec string, views bool) (*webrtc.PeerConnection, error) {
	media := &webrtc.MediaEngine{}
	video := webrtc.RTPCodecCapability{
		MimeType:     "video/" + codec,
		ClockRate:    90000,
		RTCPFeedback: []webrtc.RTCPFeedback{{Type: "nack"}, {Type: "nack", Parameter: "pli"}},
	}
	if codec == "H264" {
		video.SDPFmtpLine = h264 + "42e01f"
		baseline := video
		baseline.SDPFmtpLine = h264 + "42001f"
		second := webrtc.RTPCodecParameters{RTPCodecCapability: baseline, PayloadType: baselineType}
		if views {
			if err := media.RegisterCodec(second, webrtc.RTPCodecTypeVideo); err != nil {
				return nil, err
			}
		}
	}
	audio := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}
	for kind, one := range map[webrtc.RTPCodecType]webrtc.RTPCodecParameters{
		webrtc.RTPCodecTypeVideo: {RTPCodecCapability: video, PayloadType: videoType},
		webrtc.RTPCodecTypeAudio: {RTPCodecCapability: audio, PayloadType: audioType},
	} {
		if err := media.RegisterCodec(one, kind); err != nil {
			return nil, err
		}
	}
	settings := webrtc.SettingEngine{}
	settings.SetICETimeouts(5*time.Second, 25*time.Second, keepAlive)
	api := webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithSettingEngine(settings))
	return api.NewPeerConnection(webrtc.Configuration{})
}

type session struct{ location, token string }

// open sends the offer, with all candidates, and sets the answer. started is when the POST was made.
func open(peer *webrtc.PeerConnection, address, token string) (made session, started time.Time, err error) {
	offer, err := peer.CreateOffer(nil)
	if err != nil {
		return
	}
	gathered := webrtc.GatheringCompletePromise(peer)
	if err = peer.SetLocalDescription(offer); err != nil {
		return
	}
	<-gathered
	started = time.Now()
	status, location, answer, err := send(http.MethodPost, address, token, peer.LocalDescription().SDP)
	if err != nil {
		return
	}
	if status != http.StatusCreated {
		return made, started, fmt.Errorf("%d: %s", status, answer)
	}
	made = session{location, token}
	return made, started, peer.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer})
}

func (of session) end() {
	if of.location != "" {
		_, _, _, _ = send(http.MethodDelete, of.location, of.token, "")
	}
}

func send(method, address, token, body string) (status int, location, text string, err error) {
	request, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		return
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/sdp")
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	client := &http.Client{Timeout: 20 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		return
	}
	defer response.Body.Close()
	all, err := io.ReadAll(response.Body)
	base, _ := url.Parse(address)
	if found, e := base.Parse(response.Header.Get("Location")); e == nil {
		location = found.String()
	}
	return response.StatusCode, location, string(all), err
}

func publish(script, address, token, codec string) error {
	over := stopped()
	peer, err := newPeer(codec, false)
	if err != nil {
		return err
	}
	defer peer.Close()
	tracks := map[byte]*webrtc.TrackLocalStaticRTP{}
	for number, mime := range map[byte]string{videoType: "video/" + codec, audioType: webrtc.MimeTypeOpus} {
		kind, _, _ := strings.Cut(mime, "/")
		track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mime}, kind, "interop")
		if err != nil {
			return err
		}
		transceiver, err := peer.AddTransceiverFromTrack(
			track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		if err != nil {
			return err
		}
		// Read, or pion answers no NACK.
		go func() {
			for buffer := make([]byte, 1500); ; {
				if _, _, err := transceiver.Sender().Read(buffer); err != nil {
					return
				}
			}
		}()
		tracks[number] = track
	}
	connected := make(chan struct{})
	var once sync.Once
	peer.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		if state == webrtc.PeerConnectionStateConnected {
			once.Do(func() { close(connected) })
		}
	})
	made, _, err := open(peer, address, token)
	defer func() { made.end() }()
	if err != nil {
		return err
	}
	select {
	case <-connected:
	case <-time.After(connect):
		return errors.New("not connected: " + peer.ConnectionState().String())
	}
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return err
	}
	defer socket.Close()
	encoder := exec.Command(python, script, "encode", codec, fmt.Sprint(socket.LocalAddr().(*net.UDPAddr).Port))
	// It ends when its stdin does, that is with us; kept, for a pipe that nobody holds is closed.
	input, err := encoder.StdinPipe()
	if err != nil {
		return err
	}
	defer input.Close()
	encoder.Stderr = os.Stderr
	if err = encoder.Start(); err != nil {
		return err
	}
	var lock sync.Mutex
	packets := 0
	go func() {
		for buffer := make([]byte, 1500); ; {
			n, err := socket.Read(buffer)
			if err != nil {
				return
			}
			number := buffer[1] & 0x7f
			if track := tracks[number]; track != nil && n > 12 {
				if _, err := track.Write(buffer[:n]); err == nil && number == videoType {
					lock.Lock()
					packets++
					lock.Unlock()
				}
			}
		}
	}()
	return tell(over, peer, func() map[string]any {
		lock.Lock()
		defer lock.Unlock()
		return map[string]any{"is": "sending", "packets": packets}
	})
}

type decoded struct {
	Port    int    `json:"port"`
	Decoded int    `json:"decoded"`
	Width   int    `json:"width"`
	Height  int    `json:"height"`
	Why     string `json:"why"`
}

func view(script, address, codec string) error {
	over := stopped()
	decoder := exec.Command(python, script, "decode", codec)
	input, err := decoder.StdinPipe()
	if err != nil {
		return err
	}
	defer input.Close()
	output, err := decoder.StdoutPipe()
	if err != nil {
		return err
	}
	decoder.Stderr = os.Stderr
	if err = decoder.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(output)
	var last decoded
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &last) != nil || last.Port == 0 {
		return errors.New("GStreamer does not decode: " + lines.Text())
	}
	socket, err := net.DialUDP("udp4", nil, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: last.Port})
	if err != nil {
		return err
	}
	defer socket.Close()

	peer, err := newPeer(codec, true)
	if err != nil {
		return err
	}
	defer peer.Close()
	recvonly := webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}
	if _, err = peer.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, recvonly); err != nil {
		return err
	}
	var lock sync.Mutex
	var received, first, highest int
	var started time.Time
	var firstFrame time.Duration
	peer.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for buffer := make([]byte, 1500); ; {
			n, _, err := track.Read(buffer)
			if err != nil {
				return
			}
			sequence := int(buffer[2])<<8 | int(buffer[3])
			lock.Lock()
			if received == 0 {
				first, highest = sequence, sequence
			}
			received++
			// The nearest number with these 16 bits.
			if step := (sequence-highest+0x8000)&0xffff - 0x8000; step > 0 {
				highest += step
			}
			lock.Unlock()
			buffer[1] = buffer[1]&0x80 | videoType
			_, _ = socket.Write(buffer[:n])
		}
	})
	made, at, err := open(peer, address, "")
	defer func() { made.end() }()
	if err != nil {
		return err
	}
	lock.Lock()
	started = at
	lock.Unlock()
	go func() {
		for lines.Scan() {
			lock.Lock()
			_ = json.Unmarshal(lines.Bytes(), &last)
			if last.Decoded > 0 && firstFrame == 0 {
				firstFrame = time.Since(started)
			}
			lock.Unlock()
		}
	}()
	return tell(over, peer, func() map[string]any {
		lock.Lock()
		defer lock.Unlock()
		report := map[string]any{"is": "watching", "decoded": last.Decoded, "received": received, "lost": 0}
		if lost := highest - first + 1 - received; received > 0 && lost > 0 {
			report["lost"] = lost
		}
		if firstFrame > 0 {
			report["firstFrameMs"] = float64(firstFrame.Microseconds()) / 1000
			report["width"], report["height"] = last.Width, last.Height
		}
		return report
	})
}

func main() {
	args := os.Args[1:]
	var err error
	switch {
	case len(args) == 5 && args[1] == "publish":
		err = publish(args[0], args[2], args[3], args[4])
	case len(args) == 4 && args[1] == "view":
		err = view(args[0], args[2], args[3])
	default:
		err = errors.New("there are publish URL TOKEN CODEC and view URL CODEC")
	}
	if err != nil {
		fail(err)
	}
}
