"""What an answer rests on: search results, places, documents, pages that were read.

The application gets it as a plain mapping with the wire's names (``Grounding.metadata``).

Source: protobuf ``GroundingMetadata`` and ``UrlContextMetadata``; newer fields: google-genai's types.
"""

from __future__ import annotations

from duologue.wire.base import Duration, Struct

__all__ = [
    "AuthorAttribution",
    "CustomMetadata",
    "GroundingChunk",
    "GroundingMetadata",
    "GroundingSupport",
    "ImageChunk",
    "MapsChunk",
    "MapsRoute",
    "PlaceAnswerSources",
    "RagChunk",
    "RagChunkPageSpan",
    "RetrievalMetadata",
    "RetrievedContext",
    "ReviewSnippet",
    "SearchEntryPoint",
    "Segment",
    "SourceFlaggingUri",
    "StringList",
    "UrlContextMetadata",
    "UrlMetadata",
    "WebChunk",
]


class SearchEntryPoint(Struct, frozen=True, kw_only=True):
    """HTML that Google's terms want shown beside the answer."""

    rendered_content: str | None = None
    sdk_blob: str | None = None


class WebChunk(Struct, frozen=True, kw_only=True):
    """A page."""

    uri: str | None = None
    title: str | None = None
    domain: str | None = None


class ImageChunk(Struct, frozen=True, kw_only=True):
    """A picture and the page it stands on."""

    source_uri: str | None = None
    image_uri: str | None = None
    title: str | None = None
    domain: str | None = None


class RagChunkPageSpan(Struct, frozen=True, kw_only=True):
    """Pages of a document, both included."""

    first_page: int | None = None
    last_page: int | None = None


class RagChunk(Struct, frozen=True, kw_only=True):
    """A passage of a document."""

    text: str | None = None
    page_span: RagChunkPageSpan | None = None
    chunk_id: str | None = None
    file_id: str | None = None


class StringList(Struct, frozen=True, kw_only=True):
    """Several texts."""

    values: list[str] | None = None


class CustomMetadata(Struct, frozen=True, kw_only=True):
    """One of the user's own remarks on a document; exactly one value."""

    key: str | None = None
    string_value: str | None = None
    numeric_value: float | None = None
    string_list_value: StringList | None = None


class RetrievedContext(Struct, frozen=True, kw_only=True):
    """A passage a retrieval tool found."""

    uri: str | None = None
    title: str | None = None
    text: str | None = None
    document_name: str | None = None
    rag_chunk: RagChunk | None = None
    custom_metadata: list[CustomMetadata] | None = None
    file_search_store: str | None = None
    page_number: int | None = None
    media_id: str | None = None


class AuthorAttribution(Struct, frozen=True, kw_only=True):
    """Who wrote a review."""

    display_name: str | None = None
    photo_uri: str | None = None
    uri: str | None = None


class ReviewSnippet(Struct, frozen=True, kw_only=True):
    """A piece of a review of a place."""

    review_id: str | None = None
    google_maps_uri: str | None = None
    title: str | None = None
    review: str | None = None
    author_attribution: AuthorAttribution | None = None
    flag_content_uri: str | None = None
    relative_publish_time_description: str | None = None


class PlaceAnswerSources(Struct, frozen=True, kw_only=True):
    """What is said of a place, and by whom."""

    review_snippets: list[ReviewSnippet] | None = None
    review_snippet: list[ReviewSnippet] | None = None
    flag_content_uri: str | None = None


class MapsRoute(Struct, frozen=True, kw_only=True):
    """A way from one place to another."""

    distance_meters: int | None = None
    duration: Duration | None = None
    encoded_polyline: str | None = None


class MapsChunk(Struct, frozen=True, kw_only=True):
    """A place."""

    uri: str | None = None
    title: str | None = None
    text: str | None = None
    place_id: str | None = None
    place_answer_sources: PlaceAnswerSources | None = None
    route: MapsRoute | None = None


class GroundingChunk(Struct, frozen=True, kw_only=True):
    """One source; exactly one kind."""

    web: WebChunk | None = None
    retrieved_context: RetrievedContext | None = None
    maps: MapsChunk | None = None
    image: ImageChunk | None = None


class Segment(Struct, frozen=True, kw_only=True):
    """A stretch of a part's text, counted in bytes of UTF-8, the end excluded."""

    part_index: int | None = None
    start_index: int | None = None
    end_index: int | None = None
    text: str | None = None


class GroundingSupport(Struct, frozen=True, kw_only=True):
    """Which sources carry a stretch of the answer; indices count ``groundingChunks`` from 0."""

    segment: Segment | None = None
    grounding_chunk_indices: list[int] | None = None
    confidence_scores: list[float] | None = None
    rendered_parts: list[int] | None = None


class RetrievalMetadata(Struct, frozen=True, kw_only=True):
    """How likely a search would have helped, 0..1."""

    google_search_dynamic_retrieval_score: float | None = None


class SourceFlaggingUri(Struct, frozen=True, kw_only=True):
    """Where a source can be reported."""

    source_id: str | None = None
    flag_content_uri: str | None = None


class GroundingMetadata(Struct, frozen=True, kw_only=True):
    """All of it; Vertex sends an empty one with every end of a turn."""

    search_entry_point: SearchEntryPoint | None = None
    grounding_chunks: list[GroundingChunk] | None = None
    grounding_supports: list[GroundingSupport] | None = None
    retrieval_metadata: RetrievalMetadata | None = None
    web_search_queries: list[str] | None = None
    image_search_queries: list[str] | None = None
    retrieval_queries: list[str] | None = None
    google_maps_widget_context_token: str | None = None
    source_flagging_uris: list[SourceFlaggingUri] | None = None


class UrlMetadata(Struct, frozen=True, kw_only=True):
    """One page that was to be read, and whether it was."""

    retrieved_url: str | None = None
    url_retrieval_status: str | None = None


class UrlContextMetadata(Struct, frozen=True, kw_only=True):
    """The pages of the URL context tool."""

    url_metadata: list[UrlMetadata] | None = None
