/**
 * Reads the files of steps that may be left out, before they are looked up: after the turn in which they were ready, so that it
 * is committed by then, and in slices, so that the loop goes on meanwhile. An end of the process in between reads them again.
 */
import { fromPromise } from 'xstate';
import type { FileReading, FilesRead, ReadRequest } from '../machines/tracks.ts';
import { contentsOf, type ReadFiles } from './file-contents.ts';

/** The tracks' worker. */
export const fileReader = fromPromise<FileReading, FileReading>(({ input }) => readAll(input));

async function readAll({ plan, reads }: FileReading): Promise<FileReading> {
  const known: ReadFiles = new Map();
  const same = new Map<string, FilesRead>();
  const read: ReadRequest[] = [];
  for (const request of reads) {
    const { folder, files, outputs } = request;
    const key = JSON.stringify([folder, files, outputs]);
    const contents = same.get(key) ?? {
      files: (await contentsOf(folder, files, known)) ?? null,
      outputs: (await contentsOf(folder, outputs, known)) ?? null,
    };
    same.set(key, contents);
    read.push({ ...request, contents });
  }
  return { plan, reads: read };
}
