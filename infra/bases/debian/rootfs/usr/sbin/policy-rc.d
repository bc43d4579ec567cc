#!/bin/sh
# No service is started in an image.
exit 101
