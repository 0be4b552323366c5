# The environment of ./dev as an image; ./dev builds and enters it when podman or docker is at hand.
FROM debian:trixie-slim
COPY tools/packages.txt /tmp/packages.txt
RUN apt-get update -qq \
    && sed -e 's/#.*//' -e '/^[[:space:]]*$/d' /tmp/packages.txt \
       | DEBIAN_FRONTEND=noninteractive xargs apt-get install -y -qq --no-install-recommends \
    && rm -rf /var/lib/apt/lists/* /tmp/packages.txt
ENV LC_ALL=C.UTF-8
