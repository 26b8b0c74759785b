package static

import "strings"

// contentType returns the media type for a file name. The table is our own: the
// system's differs from machine to machine, and a release must not.
func contentType(name string) string {
	t, _ := typeOf(name)
	return t
}

// Compressible tells whether files of this name are worth compressing.
func Compressible(name string) bool {
	_, compress := typeOf(name)
	return compress
}

// isPage tells whether a file is an HTML page.
func isPage(name string) bool { return strings.HasPrefix(contentType(name), "text/html") }

// extension is what follows the last dot of the last part, in lower case.
func extension(name string) string {
	base := name[strings.LastIndexByte(name, '/')+1:]
	dot := strings.LastIndexByte(base, '.')
	if dot < 0 {
		return ""
	}
	return strings.ToLower(base[dot+1:])
}

func typeOf(name string) (mediaType string, compress bool) {
	ext := extension(name)
	if t := textType(ext); t != "" {
		return t, true
	}
	if t := packedType(ext); t != "" {
		return t, false
	}
	if strings.HasSuffix(name, "apple-app-site-association") {
		return "application/json", true
	}
	if ext == "" && strings.HasPrefix(name, ".well-known/") {
		return "text/plain; charset=utf-8", true
	}
	return "application/octet-stream", false
}

// textType knows what compresses well.
func textType(ext string) string {
	switch ext {
	case "html", "htm":
		return "text/html; charset=utf-8"
	case "css":
		return "text/css; charset=utf-8"
	case "js", "mjs", "cjs":
		return "text/javascript; charset=utf-8"
	case "json", "map":
		return "application/json"
	case "jsonld":
		return "application/ld+json"
	case "geojson":
		return "application/geo+json"
	case "webmanifest":
		return "application/manifest+json"
	case "txt", "text", "log":
		return "text/plain; charset=utf-8"
	case "md", "markdown":
		return "text/markdown; charset=utf-8"
	case "csv":
		return "text/csv; charset=utf-8"
	case "tsv":
		return "text/tab-separated-values; charset=utf-8"
	case "ics":
		return "text/calendar; charset=utf-8"
	case "vcf":
		return "text/vcard; charset=utf-8"
	case "vtt":
		return "text/vtt; charset=utf-8"
	case "xml", "xsl":
		return "text/xml; charset=utf-8"
	case "rss":
		return "application/rss+xml; charset=utf-8"
	case "atom":
		return "application/atom+xml; charset=utf-8"
	case "xhtml":
		return "application/xhtml+xml; charset=utf-8"
	case "yaml", "yml":
		return "application/yaml; charset=utf-8"
	case "toml":
		return "application/toml; charset=utf-8"
	case "svg":
		return "image/svg+xml; charset=utf-8"
	case "ico":
		return "image/x-icon"
	case "bmp":
		return "image/bmp"
	case "wasm":
		return "application/wasm"
	case "ttf":
		return "font/ttf"
	case "otf":
		return "font/otf"
	case "eot":
		return "application/vnd.ms-fontobject"
	case "gltf":
		return "model/gltf+json"
	case "glb":
		return "model/gltf-binary"
	case "rtf":
		return "application/rtf"
	default:
		return ""
	}
}

// packedType knows what is compressed already.
func packedType(ext string) string {
	switch ext {
	case "png", "gif", "webp", "avif", "jxl", "heic":
		return "image/" + ext
	case "apng":
		return "image/apng"
	case "jpg", "jpeg":
		return "image/jpeg"
	case "woff", "woff2":
		return "font/" + ext
	case "mp4", "m4v":
		return "video/mp4"
	case "webm":
		return "video/webm"
	case "ogv":
		return "video/ogg"
	case "mov":
		return "video/quicktime"
	case "mp3":
		return "audio/mpeg"
	case "m4a", "aac":
		return "audio/mp4"
	case "ogg", "oga", "opus":
		return "audio/ogg"
	case "wav":
		return "audio/wav"
	case "flac":
		return "audio/flac"
	case "weba":
		return "audio/webm"
	case "pdf":
		return "application/pdf"
	case "zip":
		return "application/zip"
	case "gz", "tgz":
		return "application/gzip"
	case "zst":
		return "application/zstd"
	case "xz":
		return "application/x-xz"
	case "bz2":
		return "application/x-bzip2"
	case "7z":
		return "application/x-7z-compressed"
	case "tar":
		return "application/x-tar"
	case "epub":
		return "application/epub+zip"
	case "docx":
		return "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
	case "xlsx":
		return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	case "pptx":
		return "application/vnd.openxmlformats-officedocument.presentationml.presentation"
	default:
		return ""
	}
}
