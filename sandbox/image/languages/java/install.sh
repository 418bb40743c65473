#!/bin/sh
# A JDK.
set -eu
export DEBIAN_FRONTEND=noninteractive
mkdir -p /usr/share/man/man1
apt-get update -qq
apt-get install -y -qq --no-install-recommends openjdk-17-jdk-headless
rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb /usr/share/doc/* /usr/share/man/*
