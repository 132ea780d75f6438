#!/bin/bash
# What an instance runs at its first boot: the node's archive, its environment, and its service. The rest is the
# service's (scripts/node-artifact/meridian.service); nothing else is downloaded.
set -euo pipefail

aws s3 cp --only-show-errors '@ARCHIVE@' /run/meridian-node.tar.gz
mkdir -p /opt/meridian
tar -xzf /run/meridian-node.tar.gz -C /opt/meridian --no-same-owner
rm /run/meridian-node.tar.gz

cat > /etc/meridian.env <<'ENVIRONMENT'
@ENVIRONMENT@
ENVIRONMENT

/opt/meridian/install.sh
