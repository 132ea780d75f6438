#!/bin/bash
# Makes an unpacked archive a running node: its user, the kernel's buffers, its service.
set -euo pipefail
cd "$(dirname "$0")"

id meridian > /dev/null 2>&1 || useradd --system --no-create-home --shell /usr/sbin/nologin meridian
chmod 640 /etc/meridian.env
chgrp meridian /etc/meridian.env

install -m 644 90-meridian.conf /etc/sysctl.d/
sysctl --quiet --load /etc/sysctl.d/90-meridian.conf

install -m 644 meridian.service /etc/systemd/system/
systemctl daemon-reload
systemctl enable --now meridian
