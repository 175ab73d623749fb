"""What a model may use: the application's functions, and Google's own tools.

Live models serve Search and functions; the rest of the grammar is here because a client may write it,
and a server must be able to read what it refuses.

Source: protobuf ``Tool`` and ``FunctionDeclaration``; Live API reference.
"""

from __future__ import annotations

from typing import Any

from duologue.wire.base import Duration, Empty, Struct, Timestamp

__all__ = [
    "ComputerUse",
    "DynamicRetrievalConfig",
    "EnterpriseWebSearch",
    "ExaAiSearch",
    "FileSearch",
    "FunctionDeclaration",
    "GoogleMaps",
    "GoogleMapsGroundingTypes",
    "GoogleSearch",
    "GoogleSearchRetrieval",
    "Interval",
    "McpServer",
    "ParallelAiSearch",
    "RetrievalConfig",
    "RetrievalResource",
    "SearchTypes",
    "StreamableHttpTransport",
    "Tool",
]


class FunctionDeclaration(Struct, frozen=True, kw_only=True):
    """A function the model may call. ``parameters`` is Google's own schema dialect.

    Schemas stay dicts: the keys under ``properties`` are the user's, and so are whole values
    (``default``, ``example``). ``duologue.tools.schema`` writes the dialect, the emulator judges it.
    """

    name: str = ""
    description: str | None = None
    parameters: dict[str, Any] | None = None
    parameters_json_schema: Any = None
    response: dict[str, Any] | None = None
    response_json_schema: Any = None
    behavior: str | None = None


class Interval(Struct, frozen=True, kw_only=True):
    """A stretch of time; an end that is absent is open."""

    start_time: Timestamp | None = None
    end_time: Timestamp | None = None


class SearchTypes(Struct, frozen=True, kw_only=True):
    """What is searched; unset is the web."""

    web_search: Empty | None = None
    image_search: Empty | None = None


class GoogleSearch(Struct, frozen=True, kw_only=True):
    """Search whose results the answer rests on (``groundingMetadata``); ``{}`` turns it on."""

    time_range_filter: Interval | None = None
    search_types: SearchTypes | None = None
    exclude_domains: list[str] | None = None
    blocking_confidence: str | None = None


class DynamicRetrievalConfig(Struct, frozen=True, kw_only=True):
    """When an older model is to search."""

    mode: str | None = None
    dynamic_threshold: float | None = None


class GoogleSearchRetrieval(Struct, frozen=True, kw_only=True):
    """The search tool of older models."""

    dynamic_retrieval_config: DynamicRetrievalConfig | None = None


class ComputerUse(Struct, frozen=True, kw_only=True):
    """Lets the model ask for mouse and keyboard actions."""

    environment: str | None = None
    excluded_predefined_functions: list[str] | None = None
    enable_prompt_injection_detection: bool | None = None
    disabled_safety_policies: list[str] | None = None


class RetrievalResource(Struct, frozen=True, kw_only=True):
    """A store of documents."""

    rag_store_name: str | None = None


class RetrievalConfig(Struct, frozen=True, kw_only=True):
    """How many documents, and which."""

    top_k: int | None = None
    metadata_filter: str | None = None


class FileSearch(Struct, frozen=True, kw_only=True):
    """Search in the user's documents; the last three are what the first two became."""

    retrieval_resources: list[RetrievalResource] | None = None
    retrieval_config: RetrievalConfig | None = None
    file_search_store_names: list[str] | None = None
    top_k: int | None = None
    metadata_filter: str | None = None


class GoogleMapsGroundingTypes(Struct, frozen=True, kw_only=True):
    """What of Maps an answer may rest on."""

    places: Empty | None = None
    routing: Empty | None = None


class GoogleMaps(Struct, frozen=True, kw_only=True):
    """Places and routes."""

    enable_widget: bool | None = None
    grounding_types: GoogleMapsGroundingTypes | None = None


class StreamableHttpTransport(Struct, frozen=True, kw_only=True):
    """How the service reaches an MCP server."""

    url: str | None = None
    headers: dict[str, str] | None = None
    timeout: Duration | None = None
    sse_read_timeout: Duration | None = None
    terminate_on_close: bool | None = None


class McpServer(Struct, frozen=True, kw_only=True):
    """A server of tools that the service itself calls."""

    name: str | None = None
    streamable_http_transport: StreamableHttpTransport | None = None


class EnterpriseWebSearch(Struct, frozen=True, kw_only=True):
    """Vertex: search in an index that keeps no log of its users."""

    exclude_domains: list[str] | None = None
    blocking_confidence: str | None = None


class ParallelAiSearch(Struct, frozen=True, kw_only=True):
    """Vertex: search by Parallel; ``custom_configs`` is handed to them as it is."""

    api_key: str | None = None
    custom_configs: dict[str, Any] | None = None
    enable_data_retention: bool | None = None
    enable_zero_data_retention: bool | None = None


class ExaAiSearch(Struct, frozen=True, kw_only=True):
    """Vertex: search by Exa; ``custom_configs`` is handed to them as it is."""

    api_key: str | None = None
    custom_configs: dict[str, Any] | None = None


class Tool(Struct, frozen=True, kw_only=True):
    """One entry of ``setup.tools``: function declarations or one of Google's own tools."""

    function_declarations: list[FunctionDeclaration] | None = None
    google_search: GoogleSearch | None = None
    google_search_retrieval: GoogleSearchRetrieval | None = None
    code_execution: Empty | None = None
    url_context: Empty | None = None
    google_maps: GoogleMaps | None = None
    computer_use: ComputerUse | None = None
    file_search: FileSearch | None = None
    mcp_servers: list[McpServer] | None = None
    retrieval: dict[str, Any] | None = None
    """Vertex: data stores and corpora, in the words of those products; passed on as it is."""
    enterprise_web_search: EnterpriseWebSearch | None = None
    parallel_ai_search: ParallelAiSearch | None = None
    exa_ai_search: ExaAiSearch | None = None
