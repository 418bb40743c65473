#!/bin/sh
# Python with the libraries that people expect; Debian's own packages beside Debian's Python, wheels beside any other.
set -eu
export DEBIAN_FRONTEND=noninteractive
python=$(command -v python3)
if [ "$(readlink -f "$python" | cut -d/ -f1-4)" != /usr/local/bin ]; then
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends python-is-python3 python3-matplotlib python3-numpy python3-pandas \
    python3-plotly python3-requests python3-yaml
  # scipy's package asks for a C++ compiler and Boost: half a gigabyte of files that only its own tools would use.
  dpkg-query -W -f '${Package}\n' | grep -E '^(libboost.*-dev|g[+][+]-12|gcc-12|cpp-12|libgcc-12-dev|libstdc[+][+]-12-dev|libopenblas.*-dev|unicode-data)$' |
    xargs dpkg -L | xargs -d '\n' sh -c 'for f; do [ -f "$f" ] && [ ! -L "$f" ] && rm -f "$f"; done; true' sh
  rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb /usr/share/doc/* /usr/share/man/*
else
  "$python" -m pip install --no-cache-dir --quiet --root-user-action ignore --requirement "$(dirname "$0")/requirements.txt"
fi

# The font list that matplotlib would otherwise build in every session.
MPLCONFIGDIR=/opt/sandbox/matplotlib "$python" -c 'import matplotlib.font_manager'
