# The product with what serves and trains it, nothing that only tests need. The same image is the API, the worker and the nightly run:
#   docker build -t accountscore . && docker run --rm accountscore serving --help
FROM python:3.12-slim AS build
WORKDIR /src
RUN python -m venv /opt/accountscore
COPY requirements-core.lock ./
RUN /opt/accountscore/bin/pip install --no-cache-dir --quiet --require-hashes -r requirements-core.lock
COPY pyproject.toml README.md LICENSE accountscore.py ./
COPY features features
COPY models models
COPY training training
COPY serving serving
RUN /opt/accountscore/bin/pip install --no-cache-dir --quiet --no-deps .

FROM python:3.12-slim
# LightGBM needs OpenMP.
RUN apt-get update && apt-get install --yes --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --home-dir /var/lib/accountscore --create-home accountscore
COPY --from=build /opt/accountscore /opt/accountscore
ENV PATH=/opt/accountscore/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    MPLCONFIGDIR=/tmp/matplotlib \
    ACCOUNTSCORE_HOME=/var/lib/accountscore
USER 10001
WORKDIR /var/lib/accountscore
VOLUME ["/var/lib/accountscore"]
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["accountscore"]
CMD ["serving", "api", "--host", "0.0.0.0", "--port", "8000"]
