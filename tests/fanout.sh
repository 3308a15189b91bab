# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# A short run of tests/bench/fanout, with room for a noisy machine.
set -eu
cd "$(dirname "$0")/.."
. tests/bench/figures.sh
figures 'ratio_burst_1 ratio_burst_16 rss_bytes_idle' \
	sh tests/bench/fanout 500 5 1000 3 6
