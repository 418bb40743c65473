#!/bin/sh
# The driver, with an archive of its classes so that it starts in a third of the time.
set -eu
cd "$(dirname "$0")"
javac -d classes Driver.java
jar --create --file driver.jar -C classes .
rm -r classes
printf 'run x 86\nimport java.util.*; class Warm { public static void main(String[] a) { int x = 1; } }\n' >/tmp/request
java -XX:ArchiveClassesAtExit=driver.jsa -XX:+UseSerialGC -cp driver.jar Driver 3</tmp/request 4>/dev/null
rm /tmp/request
