# Stands in for the rust image: what its compiler would make was made outside, by the same commands.
ARG BASE
FROM ${BASE}
COPY . /built
RUN ln -s /built/cargo /usr/local/bin/cargo && ln -s /bin/true /usr/local/bin/rustup
