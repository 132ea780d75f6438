# The wide area between the regions' switches of local/hosts.ts: it carries their frames with delay, jitter and loss, for
# which this kernel has no tc netem. Run by local/wan.ts inside the switches' network namespace; ends with its input.

import fcntl
import heapq
import itertools
import json
import os
import random
import select
import struct
import sys
import time

# linux/if_tun.h
TUNSETIFF = 0x400454CA
IFF_TAP = 0x0002
IFF_NO_PI = 0x1000

# An Ethernet header: destination and source (6 bytes each), then what is inside.
IPV4 = b"\x08\x00"
ARP = b"\x08\x06"
# The lowest bit of a frame's first byte: for more than one receiver.
MULTICAST = 1

# Longer than any frame: the kernel splits what is longer than the MTU before it hands it to a TAP device.
FRAME = 2048
# Frames read from one region before the others have their turn.
TURN = 64


class Direction:
    """From one region to another."""

    def __init__(self, seed):
        self.delay = self.jitter = self.loss = 0.0
        self.carried = self.lost = 0
        self.free = 0.0
        # One for each question, or a change of the jitter would change which packets are lost.
        self.fate = random.Random(f"{seed} loss")
        self.late = random.Random(f"{seed} jitter")

    def is_lost(self):
        # Always drawn: the same packets are lost of every run with the same changes.
        lost = self.fate.random() * 100 < self.loss
        self.lost += lost
        self.carried += not lost
        return lost

    def due(self, now):
        """When a packet arrives. Jitter is a queue's: packets wait, and stay in order."""
        due = now + self.delay + self.late.random() * self.jitter
        self.free = max(self.free, due)
        return self.free


class Wan:
    def __init__(self, devices):
        """devices: the name of each region's TAP device."""
        self.taps = {region: open_tap(name) for region, name in devices.items()}
        self.directions = {
            (a, b): Direction(f"{a} {b}") for a, b in itertools.permutations(devices, 2)
        }
        # Where a hardware address was last seen, as any switch keeps it.
        self.homes = {}
        # (when it is due, a number that keeps the order, the device, the frame)
        self.flying = []
        self.numbers = itertools.count()

    def read(self, region):
        for _ in range(TURN):
            try:
                frame = os.read(self.taps[region], FRAME)
            except BlockingIOError:
                return
            self.accept(region, frame)

    def accept(self, region, frame):
        destination, source, inside = frame[0:6], frame[6:12], frame[12:14]
        self.homes[source] = region
        home = None if destination[0] & MULTICAST else self.homes.get(destination)
        if home == region:
            return
        others = [home] if home else [other for other in self.taps if other != region]
        for other in others:
            direction = self.directions[region, other]
            if inside == ARP:
                # Belongs to the switches: between real regions there are routers.
                self.write(other, frame)
            elif inside == IPV4 and not direction.is_lost():
                due = direction.due(time.monotonic())
                heapq.heappush(self.flying, (due, next(self.numbers), other, frame))

    def deliver(self):
        """Delivers what is due, and says for how many seconds there is nothing more to do."""
        while self.flying:
            wait = self.flying[0][0] - time.monotonic()
            if wait > 0:
                return wait
            _, _, region, frame = heapq.heappop(self.flying)
            self.write(region, frame)
        return None

    def write(self, region, frame):
        try:
            os.write(self.taps[region], frame)
        except OSError:
            pass  # The region's switch is off, or its queue is full: lost, as on any network.

    def command(self, line):
        """Changes a link where it is told to, both ways, and answers with what the link has done so far."""
        command = json.loads(line)
        a, b = command["between"]
        both = self.directions[a, b], self.directions[b, a]
        for direction in both:
            if "link" in command:
                direction.delay = command["link"]["delay"] / 1000
                direction.jitter = command["link"]["jitter"] / 1000
                direction.loss = command["link"]["loss"]
        return {
            "carried": sum(direction.carried for direction in both),
            "lost": sum(direction.lost for direction in both),
        }


def open_tap(name):
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TAP | IFF_NO_PI))
    return tap


def main():
    wan = Wan(json.loads(sys.argv[1]))
    readers = {tap: region for region, tap in wan.taps.items()}
    poll = select.epoll()
    for fd in [*readers, sys.stdin.fileno()]:
        poll.register(fd, select.EPOLLIN)
    print("ready", flush=True)
    while True:
        for fd, _ in poll.poll(wan.deliver()):
            if fd in readers:
                wan.read(readers[fd])
                continue
            # One command is one write of ours and far shorter than a pipe's atomic one, so lines come whole.
            commands = os.read(fd, select.PIPE_BUF)
            if not commands:
                return
            for line in commands.splitlines():
                print(json.dumps(wan.command(line)), flush=True)


main()
