/* Runs a compiled model: the five digit classifiers that one network writes.

       hnet build models/task_digits.hnet --output logits --output class -o examples/c
       cd examples/c && cc -O2 main.c TaskDigits.o -lm -o digits
       ./digits ../../models/task_digits.params.safetensors ../../models/task_digits.inputs.safetensors

   The weights come from a safetensors file: eight bytes with the length of the header, the header in JSON, the elements. */

#include "TaskDigits.h"

#include <stdio.h>
#include <stdlib.h>

struct file {
    char *header;
    size_t length; /* of the header */
    char *elements;
    size_t bytes; /* of the elements */
};

static void fail(const char *what, const char *name) {
    fprintf(stderr, "%s: %s\n", name, what);
    exit(1);
}

static struct file read_file(const char *path) {
    struct file out;
    unsigned char start[8];
    uint64_t length = 0;
    long end;
    int k;
    FILE *f = fopen(path, "rb");
    if (!f || fread(start, 1, 8, f) != 8 || fseek(f, 0, SEEK_END)) fail("cannot be read", path);
    end = ftell(f);
    for (k = 7; k >= 0; k--) length = length << 8 | start[k];
    if (end < 8 || length > (uint64_t)end - 8) fail("is no safetensors file", path);
    out.length = (size_t)length;
    out.bytes = (size_t)end - 8 - out.length;
    out.header = malloc(out.length + 1);
    out.elements = malloc(out.bytes + 1);
    if (!out.header || !out.elements) fail("is too large", path);
    fseek(f, 8, SEEK_SET);
    if (fread(out.header, 1, out.length, f) != out.length || fread(out.elements, 1, out.bytes, f) != out.bytes)
        fail("cannot be read", path);
    out.header[out.length] = 0;
    fclose(f);
    return out;
}

/* Where a tensor lies in the elements; 0 where the file has none of this name. */
static int find(const struct file *f, const char *name, size_t *from, size_t *bytes) {
    char key[512];
    const char *at, *place;
    unsigned long long start, end;
    if (snprintf(key, sizeof key, "\"%s\":{", name) >= (int)sizeof key) fail("is too long a name", name);
    at = strstr(f->header, key);
    if (!at) return 0;
    place = strstr(at, "\"data_offsets\":[");
    if (!place || sscanf(place, "\"data_offsets\":[%llu,%llu]", &start, &end) != 2) fail("lies nowhere", name);
    if (start > end || end > f->bytes) fail("lies outside of the file", name);
    *from = (size_t)start;
    *bytes = (size_t)(end - start);
    return 1;
}

/* Puts a tensor at to + *done, which has room for so many bytes. Of `a.*.w` a file has `a.w`, all of it, or `a.0.w`, `a.1.w` and so on. */
static int gather(const struct file *f, const char *name, char *to, size_t room, size_t *done) {
    char part[512];
    const char *star = strstr(name, ".*");
    size_t from, bytes;
    int k, before;
    if (!star) {
        if (!find(f, name, &from, &bytes)) return 0;
        if (bytes > room - *done) fail("is larger than it should be", name);
        memcpy(to + *done, f->elements + from, bytes);
        *done += bytes;
        return 1;
    }
    before = (int)(star - name);
    if (snprintf(part, sizeof part, "%.*s%s", before, name, star + 2) >= (int)sizeof part) fail("is too long a name", name);
    if (gather(f, part, to, room, done)) return 1;
    for (k = 0;; k++) {
        if (snprintf(part, sizeof part, "%.*s.%d%s", before, name, k, star + 2) >= (int)sizeof part) fail("is too long a name", name);
        if (!gather(f, part, to, room, done)) return k > 0;
    }
}

/* A tensor with so many elements of four bytes. */
static void *load(const struct file *f, const char *name, int64_t elements) {
    size_t room = (size_t)elements * 4, done = 0;
    char *to = malloc(room + 1);
    if (!to || !gather(f, name, to, room, &done) || done != room) fail("is not in the file, or not as it should be", name);
    return to;
}

int main(int argc, char **argv) {
    struct TaskDigits_sizes sizes;
    struct TaskDigits_params params;
    struct TaskDigits_inputs inputs;
    struct TaskDigits_outputs outputs;
    struct file weights, data;
    size_t from, bytes;
    int64_t i;
    void *workspace;
    int k, code;

    if (argc != 3) fail("PARAMS.safetensors INPUTS.safetensors", argv[0]);
    weights = read_file(argv[1]);
    data = read_file(argv[2]);
    for (k = 0; k < TaskDigits_PARAMS; k++) {
        const struct TaskDigits_param *p = TaskDigits_param(k);
        TaskDigits_set_param(&params, p->name, load(&weights, p->name, p->elements));
    }
    if (!find(&data, "x", &from, &bytes)) fail("is not in the file", "x");
    sizes.b = (int64_t)(bytes / (64 * sizeof(float)));
    inputs.task = load(&data, "task", 1);
    inputs.x = load(&data, "x", sizes.b * 64);
    outputs.logits = malloc((size_t)sizes.b * 10 * sizeof(float));
    outputs.class_ = malloc((size_t)sizes.b * sizeof(int32_t));
    workspace = malloc(TaskDigits_workspace(&sizes));
    if (!outputs.logits || !outputs.class_ || !workspace) fail("no memory", argv[0]);

    /* The classifier of the task is written once, and used as often as there are images. */
    code = TaskDigits_prepare(&sizes, &params, &inputs, workspace);
    if (!code) code = TaskDigits_run_prepared(&sizes, &params, &inputs, &outputs, workspace);
    if (code) fail(TaskDigits_message(code), "TaskDigits");
    for (i = 0; i < sizes.b; i++) printf("image %lld: %d\n", (long long)i, (int)outputs.class_[i]);
    return 0;
}
