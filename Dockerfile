# The service alone, as an unprivileged user. Its PostgreSQL is elsewhere: docker-compose.yml has one.
ARG PYTHON_IMAGE=python:3.12-slim

FROM ${PYTHON_IMAGE} AS dependencies
COPY pyproject.toml requirements.lock docker/pinned.py /build/
RUN python3 -m venv /opt/payledger \
 && /opt/payledger/bin/python /build/pinned.py > /build/pinned.txt \
 && /opt/payledger/bin/pip install --no-cache-dir --require-hashes --only-binary :all: \
      -r /build/pinned.txt

FROM ${PYTHON_IMAGE}
RUN useradd --system --no-create-home --uid 10001 payledger
COPY --from=dependencies /opt/payledger /opt/payledger
COPY db/migrations /srv/payledger/db/migrations
COPY db/functions /srv/payledger/db/functions
COPY service /srv/payledger/service
RUN /opt/payledger/bin/python -m compileall -q /srv/payledger

WORKDIR /srv/payledger
ENV PATH=/opt/payledger/bin:$PATH \
    PAYLEDGER_HOST=0.0.0.0
USER 10001
EXPOSE 8080
# Ready: the database answers, is of this release, and is sound. A 503 is an exception here.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/readyz', timeout=4)"]
ENTRYPOINT ["python", "-m", "service"]
CMD ["serve"]
