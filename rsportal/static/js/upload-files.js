// What was chosen or dropped, as a flat list of files, each with its path inside the folder it came from.

const MOST_FILES = 20000;

/** Give a file its path; a file outside any folder has its name. */
function withPath(file, path) {
  Object.defineProperty(file, "path", { value: path || file.name });
  return file;
}

/** Return the files of a file input. */
export function chosen(files) {
  return [...files].slice(0, MOST_FILES).map((file) => withPath(file, file.webkitRelativePath));
}

/** Return the files that were dropped, also those inside dropped folders. */
export async function dropped(transfer) {
  // Entries must be taken before the first wait: the list is emptied when the event is over.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return chosen(transfer.files);
  const files = [];
  for (const entry of entries) await walk(entry, files);
  return files;
}

async function walk(entry, files) {
  if (files.length >= MOST_FILES) return;
  if (entry.isFile) {
    const file = await new Promise((resolve) => entry.file(resolve, () => resolve(null)));
    if (file) files.push(withPath(file, entry.fullPath.replace(/^\//, "")));
    return;
  }
  const reader = entry.createReader();
  let some;
  do {
    // A reader gives a hundred entries at a time, and none when it is through.
    some = await new Promise((resolve) => reader.readEntries(resolve, () => resolve([])));
    for (const inner of some) await walk(inner, files);
  } while (some.length);
}
