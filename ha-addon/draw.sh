#!/bin/sh
# Draws the pictures of the apps anew; needs rsvg-convert (Debian: librsvg2-bin)
# and the font DejaVu Sans (fonts-dejavu-core).
set -eu
cd "$(dirname "$0")"
for app in thingwarden thingwarden-lan; do
	rsvg-convert --width 128 --height 128 --output "$app/icon.png" mark.svg
	rsvg-convert --width 250 --height 100 --output "$app/logo.png" wordmark.svg
done
