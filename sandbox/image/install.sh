#!/bin/sh
# What operations people reach for, on top of a base image that has Python and apt; libnss-myhostname knows `localhost`,
# because the engine leaves /etc/hosts empty where the network is off.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends \
  bash bsdextrautils ca-certificates coreutils curl dnsutils file findutils gawk git grep gzip jq less libnss-myhostname openssl patch \
  postgresql-client procps redis-tools sed tar tree unzip xz-utils zip fonts-dejavu-core fonts-wqy-microhei
rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb /usr/share/doc/* /usr/share/man/*

groupadd --gid 10001 sandbox
useradd --uid 10001 --gid 10001 --no-create-home --home-dir /work --shell /bin/bash sandbox
mkdir -p /work /opt/sandbox/languages
chown 10001:10001 /work
