# All of winnow in one image: each service is one of its commands (deploy/compose.yaml).
FROM node:24.21.0-bookworm-slim
WORKDIR /app
ENV NODE_ENV=production
COPY package.json package-lock.json .npmrc ./
# Without what only the demo and the tests need, and without a second Node.
RUN npm ci --omit=dev
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
