# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# A short run of tests/bench/longpoll, with room for a noisy machine: there the
# bare loop beside it says more than the microseconds.
set -eu
cd "$(dirname "$0")/.."
. tests/bench/figures.sh
figures 'rss_bytes_each operation_ratio wake_us_each wake_ratio' \
	sh tests/bench/longpoll 2000 9 90 1.6
