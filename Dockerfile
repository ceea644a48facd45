# The service answers its own host only until clients can be authenticated; run it with
#   docker build -t ntm . && docker run --rm --network host ntm
FROM python:3.13-slim AS build
WORKDIR /src
COPY requirements/runtime.txt requirements/runtime.txt
RUN python -m venv /opt/ntm && /opt/ntm/bin/pip install --no-cache-dir --require-hashes -r requirements/runtime.txt
COPY pyproject.toml README.md ./
COPY app app
RUN /opt/ntm/bin/pip install --no-cache-dir --no-deps .

FROM python:3.13-slim
RUN useradd --system --no-create-home ntm
COPY --from=build /opt/ntm /opt/ntm
ENV PATH=/opt/ntm/bin:$PATH PYTHONUNBUFFERED=1
USER ntm
EXPOSE 8000
HEALTHCHECK CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=3)"]
ENTRYPOINT ["ntm"]
CMD ["serve", "--host", "127.0.0.1", "--port", "8000"]
