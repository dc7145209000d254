# The image that agents run in. The classic builder is enough.
#
# `cargo xtask image` does all of this. By hand, the context is a folder with two files, both executable:
#
#   agcluster-agent   the static agent server: the path that `cargo xtask agent` prints
#   claude            package/claude from: npm pack @anthropic-ai/claude-code-linux-x64@2.1.329
#
#   docker build --network host -f docker/agent.Dockerfile -t agcluster/agent:latest FOLDER
#   docker build --network host -f docker/agent.Dockerfile -t agcluster/agent:data --build-arg VARIANT=data FOLDER
#
# Licence: the Claude program is not free software. It is installed here, on the machine of whoever accepts its
# terms. Do not publish an image that contains it.

# Any Debian 12 or a child of it.
ARG BASE=debian:bookworm-slim
FROM ${BASE}

ENV LANG=C.UTF-8

RUN apt-get -qq update \
 && DEBIAN_FRONTEND=noninteractive apt-get -qq upgrade --yes \
 && DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends \
      ca-certificates curl git procps python3 python3-venv ripgrep \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/*

# The agent program and its tools run as this user; the agent server itself starts as root and only switches to it.
RUN groupadd --gid 1000 agent \
 && useradd --uid 1000 --gid 1000 --create-home --shell /bin/bash agent \
 && install --directory --owner=agent --group=agent /workspace

# Before what changes more often: all variants share this large layer.
COPY claude /usr/local/bin/claude

# `data` adds Python packages for data analysis. With munkres, the font tools of matplotlib do without the other
# package that would do, which brings compilers with it: 600 MB.
ARG VARIANT=default
RUN case "${VARIANT}" in \
      default) ;; \
      data) apt-get -qq update \
         && DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends \
              python3-matplotlib python3-munkres python3-numpy python3-openpyxl python3-pandas \
         && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/* ;; \
      *) echo "there is no variant ${VARIANT}: use default or data" >&2; exit 1 ;; \
    esac

COPY agcluster-agent /usr/local/bin/agcluster-agent

ARG AGENT_VERSION=unknown
LABEL agcluster.agent.version=${AGENT_VERSION}

WORKDIR /workspace
EXPOSE 3000
ENTRYPOINT ["/usr/local/bin/agcluster-agent"]
