# Build the environment from hashed locks, then keep nothing of what built it.
FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /opt/hounsfield
COPY requirements/build.lock requirements/run.lock requirements/
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --require-hashes -r requirements/build.lock \
    && /opt/venv/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements/run.lock
COPY LICENSE README.md pyproject.toml ./
COPY app app
COPY migrations migrations
RUN /opt/venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation --editable . \
    && /opt/venv/bin/python -m compileall -q app migrations

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin hounsfield \
    && install -d -m 0700 -o hounsfield -g hounsfield /data
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/hounsfield /opt/hounsfield
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOUNSFIELD_DATA=/data \
    HOUNSFIELD_HOST=0.0.0.0 \
    HOUNSFIELD_PORT=8080
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=90s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['HOUNSFIELD_PORT'] + '/health/ready', timeout=4)"]
ENTRYPOINT ["hounsfield"]
CMD ["up"]
