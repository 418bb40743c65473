#!/bin/sh
# A JDK, and the driver compiled, with a class archive so that it starts in a third of the time.
set -eu
export DEBIAN_FRONTEND=noninteractive
mkdir -p /usr/share/man/man1
apt-get update -qq
apt-get install -y -qq --no-install-recommends openjdk-17-jdk-headless
rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb /usr/share/doc/* /usr/share/man/*
cd "$(dirname "$0")"
javac -d classes Driver.java
jar --create --file driver.jar -C classes .
rm -r classes
printf 'run x 86\nimport java.util.*; class Warm { public static void main(String[] a) { int x = 1; } }\n' >/tmp/request
java -XX:ArchiveClassesAtExit=driver.jsa -XX:+UseSerialGC -cp driver.jar Driver 3</tmp/request 4>/dev/null
rm /tmp/request
