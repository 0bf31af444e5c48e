import type { Socket } from "node:net";

type Done = (error?: Error | null) => void;

/**
 * Lets a socket be read to its end after its peer takes nothing more. An API server that is done closes its connection; the next ping of a client
 * that is slow to read then cannot be written, and Node would throw away, with the socket, what the API server had sent before.
 */
export function readOn(socket: Socket): void {
  const write = socket._write.bind(socket);
  const final = socket._final.bind(socket);
  let lost = false;
  const forgive =
    (done: Done): Done =>
    (error) => {
      lost ||= error !== undefined && error !== null;
      done();
    };
  const attempt = (work: (done: Done) => void, done: Done): void => {
    if (lost) process.nextTick(done);
    else work(forgive(done));
  };
  socket._write = (chunk: unknown, encoding, done) => attempt((told) => write(chunk, encoding, told), done);
  const writev = socket._writev?.bind(socket);
  if (writev) socket._writev = (chunks, done) => attempt((told) => writev(chunks, told), done);
  socket._final = (done) => attempt((told) => final(told), done);
}
