# All of winnow in one image: each service is one of its commands (deploy/compose.yaml).
FROM node:24.21.0-bookworm-slim
WORKDIR /app
ENV NODE_ENV=production
COPY package.json package-lock.json .npmrc ./
# no: without chDB, the embedded ClickHouse, half of the image. Services do not need it; replay, explain and the like of archives do.
ARG ARCHIVES=yes
# Without what only the demo and the tests need, without a second Node, npm's cache, and what packages bring for other machines and for compilers.
RUN npm ci --omit=dev --cache /tmp/npm \
  && rm -rf /tmp/npm /tmp/node-compile-cache \
  && platform=$(node -p process.platform) arch=$(node -p process.arch) \
  && find node_modules/onnxruntime-node/bin -mindepth 3 -maxdepth 3 ! -path "*/$platform/$arch" -exec rm -r {} + \
  && find node_modules/tokenizers -name '*.node' ! -name "*.$platform-$arch-gnu.node" -delete \
  && find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -delete \
  && if [ "$ARCHIVES" = no ]; then rm -r node_modules/@chdb; fi
COPY LICENSE README.md ./
COPY docs docs
COPY schemas schemas
COPY topologies topologies
COPY services services
COPY deploy deploy
RUN mkdir -p /data/checkpoints /corpus && chown -R node:node /data
USER node
WORKDIR /data
ENTRYPOINT ["node", "/app/deploy/bin.mjs"]
CMD ["--help"]
