# The database and the signing key stand in the volume; NTM_ISSUER is the address by which clients know the service.
#   docker build -t ntm .
#   docker run --rm --init --stop-timeout 45 -p 127.0.0.1:8000:8000 -v ntm:/var/lib/ntm -e NTM_ISSUER=http://127.0.0.1:8000 ntm
FROM python:3.13-slim AS build
WORKDIR /src
COPY requirements/runtime.txt requirements/runtime.txt
RUN python -m venv /opt/ntm && /opt/ntm/bin/pip install --no-cache-dir --require-hashes -r requirements/runtime.txt
COPY pyproject.toml README.md ./
COPY app app
COPY migrations migrations
RUN /opt/ntm/bin/pip install --no-cache-dir --no-deps .

FROM python:3.13-slim
RUN useradd --system --no-create-home ntm && install -d -o ntm -g ntm -m 700 /var/lib/ntm /var/lib/ntm-checkpoints
COPY --from=build /opt/ntm /opt/ntm
ENV PATH=/opt/ntm/bin:$PATH PYTHONUNBUFFERED=1 NTM_DATA_DIR=/var/lib/ntm
USER ntm
VOLUME /var/lib/ntm
EXPOSE 8000
HEALTHCHECK --start-period=60s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=3)"]
ENTRYPOINT ["ntm"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
